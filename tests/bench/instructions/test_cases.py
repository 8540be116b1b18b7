"""Every case runs, with and without valgrind, and what it costs is of the right size."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

import pytest

from bench.instructions.callgrind import CannotCount, count
from bench.instructions.cases import CASES, Case, prepared
from bench.native_programs import CannotBuild, built
from bench.server import Server


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_can_be_run_again(case: Case, server: Server) -> None:
    with prepared(case, server.port, (3, 5)) as run:
        run(3)
        run(5)


@pytest.mark.slow
@pytest.mark.timeout(170)
def test_a_case_takes_the_same_twice(server: Server) -> None:
    """The mechanism, on the case that is done soonest; the budget has all of them."""
    try:
        built("marks.so")
        if shutil.which("valgrind") is None:
            raise CannotCount("valgrind is missing")
    except (CannotBuild, CannotCount) as reason:
        if os.environ.get("TIELINE_PEERS") == "required":
            raise
        pytest.skip(str(reason))
    case = replace(CASES[0], fewer=50, more=250)
    first, second = count(case, server.port), count(case, server.port)
    assert first == pytest.approx(second, rel=0.01)
    assert 1_000 < first < 100_000


def test_without_valgrind_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(CannotCount, match="apt-get install valgrind"):
        count(CASES[0], 1)
