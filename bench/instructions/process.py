"""One case in this process, with marks between which valgrind counts.

    python -m bench.instructions.process CASE PORT FEWER MORE

Nothing is counted, and little time is lost, before the case is prepared and warm. Its clock moves
only when it is looked at, so what is done because of the time does not depend on how busy the
machine is, and on how slow valgrind.
"""

from __future__ import annotations

import gc
import sys
import time

from bench.native_programs import loaded

#: So often the case is done less, then more, each time up to a mark.
ROUNDS = 3

#: How much longer at least it takes to be counted.
_SLOWER = 100


def main(name: str, port: str, fewer: str, more: str) -> int:
    marks = loaded("marks")
    time.monotonic = time.perf_counter = marks.now  # before anybody takes the real ones
    from bench.instructions.cases import CASES, prepared
    from tieline.engine import driving

    # The reactor waits by the machine's clock for a thread to be gone. Slowed down as it is here,
    # one that is busy with its messages looks gone.
    driving.ADOPTION *= _SLOWER
    case = next(case for case in CASES if case.name == name)
    # The first run warms up caches, memory and the interpreter's specialised instructions.
    counts = (int(fewer), *(int(fewer), int(more)) * ROUNDS)
    with prepared(case, int(port), counts) as run:
        run(counts[0])
        gc.collect()
        # A collection in one of the runs is not to walk over all that was loaded before.
        gc.freeze()
        marks.begin()
        for count in counts[1:]:
            run(count)
            marks.mark()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
