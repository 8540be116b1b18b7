"""Hundreds of connections, one after the other → no thread, descriptor or memory is left."""

from __future__ import annotations

import gc
import os
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

import tieline

SOON = 20.0


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def wait_for_descriptors(count: int) -> None:
    """The server closes its ends a moment after the client."""
    pause, deadline = threading.Event(), time.monotonic() + SOON
    while descriptors() > count:
        assert time.monotonic() < deadline, f"{descriptors()} descriptors, not {count}"
        pause.wait(0.005)


def held_by_tieline() -> int:
    """Bytes that were allocated by tieline's own lines and what they called in C."""
    own = tracemalloc.Filter(True, str(Path(tieline.__file__).parent / "*"))
    snapshot = tracemalloc.take_snapshot().filter_traces([own])
    return sum(statistic.size for statistic in snapshot.statistics("filename"))


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [200])
def test_rounds(echo: Any, rounds: int) -> None:
    client = tieline.WebSocketClient(lambda message: None, echo.url, proxy=None)

    def once() -> None:
        client.connect()
        client.send("a")
        client.disconnect()

    opened = descriptors()
    for _ in range(20):
        once()
    gc.collect()
    threads = threading.active_count()
    tracemalloc.start()
    try:
        once()
        gc.collect()
        before = held_by_tieline()
        for _ in range(rounds):
            once()
            assert threading.active_count() <= threads
        gc.collect()
        grown = held_by_tieline() - before
    finally:
        tracemalloc.stop()
    wait_for_descriptors(opened)
    assert grown < 32 * 1024


def test_failed_dials(refused_url: str) -> None:
    client = tieline.WebSocketClient(lambda message: None, refused_url, proxy=None)
    opened, threads = descriptors(), threading.active_count()
    for _ in range(50):
        with pytest.raises(tieline.ConnectError):
            client.connect()
    assert descriptors() == opened
    assert threading.active_count() == threads


@pytest.fixture
def refused_url() -> Any:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"ws://127.0.0.1:{taken.getsockname()[1]}/"


def test_a_client_that_nobody_holds_is_freed(echo: Any) -> None:
    """An idle client has no thread, no descriptor, and no cycle that keeps it."""
    import weakref

    client = tieline.WebSocketClient(lambda message: None, echo.url, proxy=None)
    client.connect()
    client.disconnect()
    reference = weakref.ref(client)
    del client
    gc.collect()
    assert reference() is None
