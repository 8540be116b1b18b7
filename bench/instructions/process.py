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


def main(name: str, port: str, fewer: str, more: str) -> int:
    marks = loaded("marks")
    time.monotonic = time.perf_counter = marks.now  # before anybody takes the real ones
    from bench.instructions.cases import CASES, prepared

    case = next(case for case in CASES if case.name == name)
    # The first run warms up caches, memory and the interpreter's specialised instructions.
    counts = (int(fewer), int(fewer), int(more))
    with prepared(case, int(port), counts) as run:
        run(counts[0])
        gc.collect()
        # A collection in one of the two runs is not to walk over all that was loaded before.
        gc.freeze()
        marks.begin()
        run(counts[1])
        marks.mark()
        run(counts[2])
        marks.mark()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
