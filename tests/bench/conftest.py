"""The benchmark's C server, and what its tests have in common."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from bench.native_programs import CannotBuild, built
from bench.server import Server, running_server


@pytest.fixture(scope="session")
def native() -> None:
    """Skips, with the reason, where the C programs cannot be built; in CI that is a failure."""
    required = os.environ.get("TIELINE_PEERS") == "required"
    if sys.platform != "linux":
        pytest.skip("the benchmark needs Linux")
    try:
        for program in ("server", "limit", "probe", "cpython_floor.so"):
            built(program)
    except CannotBuild as reason:
        if required:
            raise
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def server(native: None) -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.fixture(scope="module")
def loops_warm() -> None:
    """The first uvloop of a process opens a pipe for all: that is no leak of the first test."""
    if find_spec("uvloop") is not None:
        import uvloop

        uvloop.new_event_loop().close()
