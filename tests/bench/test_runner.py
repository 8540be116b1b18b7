"""The runner: repetitions in turns, disturbed ones again, failures told of, time bounded."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import pytest

from bench.catalogue import BENCHMARKS
from bench.contestants import Contestant
from bench.runner import OutOfTime, Runner

ECHO = replace(next(each for each in BENCHMARKS if each.name == "echo/256"), fixed=True)


class FakeServer:
    """Nobody talks to it."""

    port, tls_port, authority = 1, 0, None

    def cpu_seconds(self) -> float:
        return 0.0

    def move(self, cores: set[int]) -> None:
        pass


class FakeMachine:
    def __init__(self, *quiet: bool) -> None:
        self._quiet = list(quiet)

    def settle(self, one_core: bool) -> set[int]:
        return {0}

    def is_quiet(self) -> bool:
        return self._quiet.pop(0) if self._quiet else True


def client(name: str, answer: dict[str, Any] | str) -> Contestant:
    """A process that prints this, or fails with it."""
    program = (
        f"import sys; sys.exit({answer!r})"
        if isinstance(answer, str)
        else f"print({json.dumps(answer)!r})"
    )
    return Contestant(name, "peer", (sys.executable, "-c", program))


def runner(machine: FakeMachine | None = None, **more: Any) -> Runner:
    chosen = {"repetitions": 2, "target": 0.1, "retries": 2, **more}
    return Runner(FakeServer(), machine or FakeMachine(), **chosen)  # type: ignore[arg-type]


GOOD = {"version": "good 1", "seconds": 0.5, "cpu_seconds": 0.25}


def test_each_repetition_has_every_client() -> None:
    told: list[str] = []
    clients = [client("a", GOOD), client("b", {**GOOD, "seconds": 1.0})]
    a, b = runner().measure(ECHO, clients, told.append).taken
    assert (a.values, b.values) == ([600.0] * 2, [300.0] * 2)
    assert a.cpu == [pytest.approx(0.25 / 300 * 1e6)] * 2
    assert (a.version, a.quiet, told) == ("good 1", [True, True], [])


@pytest.mark.parametrize(("least", "messages"), [(0.0, 60), (1.0, 600)])
def test_a_run_is_as_long_as_its_benchmark_needs(least: float, messages: int) -> None:
    tells_how_many = (  # as microseconds each: of 600 messages per second
        "import json, sys; count = int(sys.argv[sys.argv.index('--count') + 1]); "
        "print(json.dumps({'seconds': count / 600, 'cpu_seconds': count**2 / 1e6}))"
    )
    clients = [Contestant("a", "peer", (sys.executable, "-c", tells_how_many))]
    benchmark = replace(ECHO, fixed=False, count=50, least_seconds=least)
    (a,) = runner(target=0.1).measure(benchmark, clients, print).taken
    assert a.cpu == [pytest.approx(messages)] * 2


def test_what_cannot_be_done_or_fails_is_told_of() -> None:
    told: list[str] = []
    clients = [client("a", {"unsupported": "no such call"}), client("b", "it broke")]
    a, b = runner().measure(ECHO, clients, told.append).taken
    assert (a.values, a.unsupported) == ([], "no such call")
    assert (b.values, b.failed) == ([], "it broke")
    assert told == ["b, echo/256: it broke"]


def test_a_disturbed_run_is_done_again() -> None:
    machine = FakeMachine(False, False, True, False, False, False)
    (a,) = runner(machine).measure(ECHO, [client("a", GOOD)], print).taken
    assert a.quiet == [True, False]


def test_a_command_that_is_not_there() -> None:
    told: list[str] = []
    runner().measure(ECHO, [Contestant("a", "peer", ("/no/such/program",))], told.append)
    assert "cannot be started" in told[0]


def test_without_tls_there_is_a_reason() -> None:
    (a,) = runner().measure(replace(ECHO, tls=True), [client("a", GOOD)], print).taken
    assert a.unsupported is not None and "trustme" in a.unsupported


def test_nothing_new_is_begun_when_the_time_is_over() -> None:
    with pytest.raises(OutOfTime):
        runner(deadline=0.0).measure(ECHO, [client("a", GOOD)], print)
