"""The memory of big blocks is kept for the next ones, by the allocator that would give it back."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from tieline.engine.kept_memory import KEPT

#: Lets blocks come and go, three at a time, and prints how often a page was new.
BLOCKS = """
import resource, sys
from tieline.engine.kept_memory import keep_memory
size, kept = map(int, sys.argv[1:])
if kept:
    keep_memory(kept)
    keep_memory()  # which is less, and takes nothing back
def some():
    blocks = [b"x" * size for _ in range(3)]
for _ in range(20):
    some()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    some()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="about the allocator of glibc")
@pytest.mark.parametrize(("size", "kept"), [(200_000, KEPT), (700_000, 3 * 700_000)])
def test_no_page_is_new_again_and_again(size: int, kept: int) -> None:
    def faults(kept: int) -> int:
        command = [sys.executable, "-c", BLOCKS, str(size), str(kept)]
        done = subprocess.run(command, check=True, capture_output=True, timeout=30)
        return int(done.stdout)

    assert faults(kept) < 100 < 5000 < faults(0)
