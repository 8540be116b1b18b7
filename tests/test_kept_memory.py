"""The memory of big blocks is kept for the next ones, by the allocator that would give it back."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

#: Lets blocks come and go, three at a time, and prints how often a page was new.
BLOCKS = """
import resource, sys
from tieline.kept_memory import keep_memory
how, size = sys.argv[1], int(sys.argv[2])
if how == "kept":
    keep_memory()
    if size > 200_000:
        keep_memory(3 * size)
    keep_memory()
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
@pytest.mark.parametrize("size", [200_000, 700_000])
def test_no_page_is_new_again_and_again(size: int) -> None:
    faults = {
        how: int(
            subprocess.run(
                [sys.executable, "-c", BLOCKS, how, str(size)],
                check=True,
                capture_output=True,
                timeout=30,
            ).stdout
        )
        for how in ("kept", "not")
    }
    assert faults["kept"] < 100 < 5000 < faults["not"]
