"""Cores, their speed, and what the numbers depend on."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

import pytest

from bench.machine import Machine, allow_many_descriptors, description


@pytest.fixture(autouse=True)
def cores_of_this_process() -> Iterator[None]:
    before = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, before)


def test_server_and_client_share_a_core_or_do_not(native: None) -> None:
    machine = Machine(look_for_quiet=False)
    assert machine.settle(one_core=True) == os.sched_getaffinity(0) == {machine.client_core}
    others = machine.settle(one_core=False)
    assert os.sched_getaffinity(0) == {machine.client_core}
    assert others == set(machine.cores) - {machine.client_core} or len(machine.cores) == 1
    machine.release()
    assert len(os.sched_getaffinity(0)) >= len(machine.cores)


def test_the_probe_tells_a_speed(native: None) -> None:
    assert Machine()._full_speed > 0


def test_a_limit_that_cannot_be_raised_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (64, 128))
    missing = allow_many_descriptors(1000)
    assert missing == "needs 1200 open files, the limit is 128 (ulimit -Hn)"
    assert allow_many_descriptors(0) is not None


def test_the_description_names_no_path() -> None:
    assert not any("/" in text for text in description().values())
