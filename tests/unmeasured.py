"""An environment for a program → the same, in which coverage does not measure the program.

For programs that get signals and for those that fork: coverage takes a lock of its own at each
call of a measured function. A signal that comes inside of that lock leaves it taken, and a child
inherits it from a thread that it does not have; either way the program hangs, and it is not to
blame.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

#: What coverage's `patch = subprocess` hands to the programs that a measured process starts.
_HANDED_ON = {"COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"}


def unmeasured(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in _HANDED_ON}
