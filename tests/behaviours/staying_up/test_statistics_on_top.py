"""Statistics, asked for on top of any lock, as signal handlers do, while a line comes up again."""

from __future__ import annotations

import threading
import time

import pytest

import tieline
from tieline.testing import EchoServer

PATIENCE = 10.0


@pytest.mark.parametrize("held", ["the old connection's", "the reactor's"])
def test_statistics_on_top_of_a_lock(held: str) -> None:
    dialled, go_on = threading.Event(), threading.Event()
    urls = 0

    def url() -> str:
        nonlocal urls
        urls += 1
        if urls == 2:
            dialled.set()
            assert go_on.wait(PATIENCE)
        return server.url

    opened = threading.Semaphore(0)
    with EchoServer() as server:
        client = tieline.WebSocketClient(
            lambda message: None,
            url,
            on_open=lambda response: opened.release(),
            reconnect=tieline.Reconnect(initial=0.001, multiplier=1.0),
        )
        client.connect()
        assert opened.acquire(timeout=PATIENCE)
        old = client._line.session
        assert old is not None
        server.close_connections(1012)
        assert dialled.wait(PATIENCE)
        asked = threading.Event()

        def ask() -> None:
            # A `send()` to the old one holds the first for moments, and most calls the second.
            with old.lock if held == "the old connection's" else client._line.reactor._lock:
                go_on.set()
                deadline = time.monotonic() + PATIENCE
                while client._line.session is old:
                    assert time.monotonic() < deadline
                client.stats()
                if held != "the reactor's":
                    with client._line.lock:  # what `disconnect()` asks for
                        pass
                asked.set()

        asker = threading.Thread(target=ask, daemon=True)
        asker.start()
        assert asked.wait(3.0)
        asker.join(PATIENCE)
        client.disconnect()
