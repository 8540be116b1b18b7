"""The benchmark's server and tieline's part in it → results that add up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench import measure
from bench.clients import CLIENTS
from bench.runner import Measurement, running_server
from bench.table import render
from bench.workloads import WORKLOADS, Workload


@pytest.fixture(scope="module")
def port() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(Path(__file__).parent.parent.parent)  # where `python -m bench.server` is found
        with running_server() as number:
            yield str(number)


@pytest.fixture(scope="module", autouse=True)
def descriptors_that_uvloop_keeps() -> None:
    """The first loop of a process opens a pipe for all: that is no leak of the first test."""
    if find_spec("uvloop") is not None:
        import uvloop

        uvloop.new_event_loop().close()


@pytest.mark.parametrize("client", [name for name in CLIENTS if name.startswith("tieline_")])
@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.title)
def test_every_front_of_tieline_does_the_work_and_is_timed(
    client: str, workload: Workload, port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if find_spec(CLIENTS[client]) is None:
        pytest.skip(f"{CLIENTS[client]} is not installed")
    assert measure.main(client, workload.kind, port, workload.size, 7) == 0
    result = json.loads(capsys.readouterr().out)
    front = client.removeprefix("tieline_").removesuffix("_client")
    assert result["version"].startswith(f"tieline {front} ")
    assert result["seconds"] > 0


def test_the_table_compares_runs_of_the_same_repetition() -> None:
    workload = WORKLOADS[0]
    runs = [
        Measurement("ours", "ours 1.0", workload, 0, 1000, 1.0, 0.5),
        Measurement("theirs", "theirs 2.0", workload, 0, 1000, 2.0, 1.0),
        # A disturbed repetition slows both alike, and the ratio stays.
        Measurement("ours", "ours 1.0", workload, 1, 1000, 4.0, 2.0),
        Measurement("theirs", "theirs 2.0", workload, 1, 1000, 8.0, 4.0),
    ]
    lines = render(runs).splitlines()
    assert lines[1].split() == ["ours", "1.0", "625", "1", "1.25e+03", "1"]
    assert lines[2].split() == ["theirs", "2.0", "312", "0.5", "2.5e+03", "2"]
