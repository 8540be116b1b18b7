"""A backend is chosen by hiding the others."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.backends import hide_all_but
from bench.contestants import ROOT


@pytest.mark.slow
def test_the_others_are_not_found() -> None:
    program = (
        "from bench.backends import hide_all_but; hide_all_but('zlib')\n"
        "from tieline.protocol.deflate_backend import installed_backends\n"
        "print(*(backend.name for backend in installed_backends()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert (done.stdout, done.stderr) == ("zlib\n", "")


def test_an_unknown_one_is_refused() -> None:
    with pytest.raises(ValueError, match="expected zlib, zlib-ng, isal, got 'lzma'"):
        hide_all_but("lzma")
