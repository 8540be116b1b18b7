"""Scripts of servers, and of proxies, that want a login; the Digest proof is checked by hand."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

from tieline.testing.answers import answer_bytes

Script = Callable[[Any], None]


def sent_digest(header: str) -> dict[str, str]:
    """The parameters of an Authorization, as a server reads them."""
    scheme, _, rest = header.partition(" ")
    assert scheme == "Digest", header
    found = re.findall(r'([\w*]+)=(?:"((?:[^"\\]|\\.)*)"|([^",\s]+))', rest)
    return {name: quoted or plain for name, quoted, plain in found}


def proof(
    given: dict[str, str], method: str, password: str, *, algorithm: str = "md5", name: str = ""
) -> str:
    """What the response has to be, if it knows the password."""

    def digest(*parts: str) -> str:
        text = ":".join(parts).encode()
        return hashlib.new(algorithm, text, usedforsecurity=False).hexdigest()

    first = digest(name or given["username"], given["realm"], password)
    if given.get("algorithm", "").lower().endswith("-sess"):
        first = digest(first, given["nonce"], given["cnonce"])
    middle = [given["nonce"]]
    if "qop" in given:
        middle += [given["nc"], given["cnonce"], given["qop"]]
    return digest(first, *middle, digest(method, given["uri"]))


def challenge(*lines: str, status: int = 401) -> Script:
    """Refuse, with these challenges."""
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    return lambda peer: peer.respond(status, headers=[(name, line) for line in lines])


def accept_digest(
    password: str, *, nonce: str, count: int = 1, information: str = "", **how: Any
) -> Script:
    """Accept the upgrade if the proof is right; else refuse, which fails the test."""

    def play(peer: Any) -> None:
        request = peer.read_request()
        given = sent_digest(request.headers["authorization"])
        assert given["nonce"] == nonce
        assert given["uri"] == request.target
        assert int(given.get("nc", "1"), 16) == count
        assert given["response"] == proof(given, "GET", password, **how)
        headers = []
        if information:
            rspauth = proof(given, "", password, **how)
            headers = [("Authentication-Info", information.replace("RSPAUTH", rspauth))]
        peer.accept_upgrade(headers=headers)
        peer.expect_end()

    return play


def accept_header(name: str, value: str | None) -> Script:
    """Accept the upgrade if that header is so."""

    def play(peer: Any) -> None:
        request = peer.read_request()
        assert request.headers.get(name) == value
        peer.accept_upgrade()
        peer.expect_end()

    return play


class Tunnel:
    """A proxy's part of a script: it asks for a login, then plays the server behind it."""

    def __init__(
        self, check: Callable[[str | None, str], None], server: Script, information: str = ""
    ) -> None:
        self._check = check
        self._server = server
        self._information = information

    def __call__(self, peer: Any) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += peer.socket.recv(4096)
        head = data.decode("latin-1")
        far_end = head.split(" ")[1]
        found = re.search(r"^proxy-authorization: *(.*?)\r$", head, re.MULTILINE | re.IGNORECASE)
        assert not re.search(r"^(authorization|cookie):", head, re.MULTILINE | re.IGNORECASE)
        self._check(found and found[1], far_end)
        line = f"Proxy-Authentication-Info: {self._information}\r\n" if self._information else ""
        peer.send_raw(f"HTTP/1.1 200 OK\r\n{line}\r\n".encode())
        self._server(peer)


def refuse_tunnel(*lines: str, expect: str | None = None) -> Script:
    """A proxy that answers 407; `expect`: what it has to be told before."""

    def play(peer: Any) -> None:
        request = peer.read_request()
        assert request.method == "CONNECT"
        assert request.headers.get("proxy-authorization") == expect
        headers = [("Proxy-Authenticate", line) for line in lines]
        fields = [("Content-Length", "0"), ("Connection", "close"), *headers]
        peer.send_raw(answer_bytes(407, "Proxy Authentication Required", fields))

    return play
