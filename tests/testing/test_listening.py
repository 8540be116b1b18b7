"""Addresses to listen on, and the URLs under which they are found."""

from __future__ import annotations

import socket

import pytest

from tieline.testing.listening import accepted_stream, listen, url_of


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("localhost", "127.0.0.1")],
)
def test_urls_lead_to_the_listener(host, shown):
    with listen(host, 0) as listener:
        port = listener.getsockname()[1]
        if host != "localhost":  # which may be ::1
            assert url_of(listener, False) == f"ws://{shown}:{port}/"
            assert url_of(listener, True) == f"wss://{shown}:{port}/"
        socket.create_connection((host if host == "localhost" else shown, port), 5).close()


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_ipv6():
    try:
        listener = listen("::1", 0)
    except OSError:
        pytest.skip("no IPv6 here")
    with listener:
        assert url_of(listener, False) == f"ws://[::1]:{listener.getsockname()[1]}/"


def test_unix_sockets(tmp_path):
    path = str(tmp_path / "s")
    with listen("", 0, path) as listener:
        assert url_of(listener, False) == f"ws+unix://{path}:/"
        with socket.socket(socket.AF_UNIX) as near:
            near.connect(path)
            stream = accepted_stream(listener.accept()[0], None)
            assert stream.local == path
            stream.close()


def test_an_address_in_use_leaks_nothing():
    with listen("127.0.0.1", 0) as listener:
        with pytest.raises(OSError):
            listen("127.0.0.1", listener.getsockname()[1])
