"""A thread that is on top of the old connection's lock and wants the line's, as signal handlers do."""

from __future__ import annotations

import threading

import tieline
from tieline.testing import EchoServer

PATIENCE = 10.0


def test_the_next_connection_begins_without_the_old_ones_lock() -> None:
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
            # What `stats()` in a signal handler asks for, on top of a `send()` to the old one.
            with old.lock:
                go_on.set()
                while client._line.session is old:
                    pass
                client.stats()
                asked.set()

        asker = threading.Thread(target=ask, daemon=True)
        asker.start()
        assert asked.wait(3.0)
        asker.join(PATIENCE)
        client.disconnect()
