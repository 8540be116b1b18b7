"""A file of results → pictures that say which results they show."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench import plot
from bench.contestants import ROOT
from bench.results import Measured, Results, Taken


@pytest.mark.slow
@pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib is not installed")
def test_what_was_measured_is_drawn(tmp_path: Path) -> None:
    """In a process of its own: matplotlib keeps its fonts open."""
    runs = Taken("tieline-plain", "ours", "tieline 1", [1.0, 2.0], [1.0] * 2, [1.0] * 2, [True] * 2)
    path = tmp_path / "results.json"
    Results({}, {"echo/256": Measured("echo/256", [runs])}).write(path)
    done = subprocess.run(
        [sys.executable, "-m", "bench.plot", str(path), "--folder", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=55,
    )
    assert done.returncode == 0, done.stderr
    drawn = tmp_path / plot.PICTURES[0].file
    assert plot.source_of(drawn) == plot.fingerprint(path)
    assert sorted(tmp_path.iterdir()) == sorted([path, drawn])
    assert "send: nothing was measured for it" in done.stdout
