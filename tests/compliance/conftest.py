"""What uvloop keeps for the life of the process → opened before any test is watched for leaks."""

from __future__ import annotations

from importlib.util import find_spec

import pytest


@pytest.fixture(scope="session", autouse=True)
def descriptors_that_uvloop_keeps() -> None:
    """The first loop of a process opens a pipe for all: that is no leak of the first test."""
    if find_spec("uvloop") is not None:
        import uvloop

        uvloop.new_event_loop().close()
