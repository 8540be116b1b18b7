"""The benchmarks of memory: what they measure is there, and it is as big as it must be."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tieline
from bench.big import measure
from bench.big.__main__ import FRONTS, WORK
from bench.big.workload import PIECE
from bench.memory.choices import CHOICES
from bench.runner import running_server

ROOT = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def server(module: str) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # where `python -m bench...` is found
        with running_server(module) as number:
            yield str(number)


@pytest.fixture(scope="module")
def holding_port() -> Iterator[str]:
    yield from server("bench.memory.server")


@pytest.fixture(scope="module")
def big_port() -> Iterator[str]:
    yield from server("bench.big.server")


@pytest.mark.slow
@pytest.mark.parametrize("choice", ['"deflate"', "None"])
def test_an_idle_connection_is_measured_at_each_moment(choice: str, holding_port: str) -> None:
    words = [holding_port, choice, "zlib", "20"]
    done = subprocess.run(
        [sys.executable, "-m", "bench.memory.measure", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert (done.returncode, done.stderr) == (0, "")
    taken = json.loads(done.stdout)
    growth = taken["many messages"] - taken["opened"]
    # Nothing before the first message; then zlib's receiving window alone is 32 KiB.
    assert growth > 32 * 1024 if choice == '"deflate"' else growth < 32 * 1024


def test_the_choices_are_called_what_they_are() -> None:
    for words, value in CHOICES.items():
        if value is None:
            assert words == "None"
        elif words.startswith("Deflate("):
            assert eval(words, {"Deflate": tieline.Deflate}) == value


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("work", WORK)
def test_one_big_message_is_received_or_sent_whole(
    front: str, work: str, big_port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    direction, form = work.split()
    assert measure.main(front, direction, form, big_port, 8 * len(PIECE)) == 0
    assert json.loads(capsys.readouterr().out).keys() == {"extra_bytes"}
