"""One case in this process, with marks between which valgrind counts.

    python -m bench.instructions.process CASE PORT

Nothing is counted, and little time is lost, before the case is prepared and warm.
"""

from __future__ import annotations

import gc
import sys

from bench.instructions.cases import CASES, prepared
from bench.native_programs import loaded


def main(name: str, port: str) -> int:
    case = next(case for case in CASES if case.name == name)
    marks = loaded("marks")
    # The first run warms up caches, memory and the interpreter's specialised instructions.
    counts = (case.fewer, case.fewer, case.more)
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
