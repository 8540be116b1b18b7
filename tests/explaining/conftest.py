"""What `explain` is tried in: an environment that names no proxies, and no network."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import trustme

from tieline.testing import ScriptedServer


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("SSL_CERT") or name == "NETRC":
            monkeypatch.delenv(name)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks a name up, or connects, is an error."""
    real = socket.getaddrinfo

    def numbers_only(*arguments: Any, **keywords: Any) -> Any:
        flags = arguments[5] if len(arguments) > 5 else keywords.get("flags", 0)
        assert flags & socket.AI_NUMERICHOST, f"looked up: {arguments}"
        return real(*arguments, **keywords)

    def refuse(*arguments: Any) -> None:
        raise AssertionError(f"connected: {arguments}")

    monkeypatch.setattr(socket, "getaddrinfo", numbers_only)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedServer]]:
    """scripted(script, ...): a server that is closed at the test's end."""
    with ExitStack() as servers:
        yield lambda *scripts: servers.enter_context(ScriptedServer(*scripts))


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_pem(authority: trustme.CA) -> bytes:
    return authority.cert_pem.bytes()


@pytest.fixture
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context
