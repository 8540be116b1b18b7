"""Each page of docs/ → its Python blocks, run as one program against a server on this machine.

The hosts of the examples stand for that server, and what a comment says is printed ("# prints X")
must be printed, in that order.
"""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

import tieline
from tieline.testing import ScriptedPeer, ScriptedServer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent

#: Seconds for a page's program.
PATIENCE = 50

_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_PRINTS = re.compile(r"# prints (.*)$", re.MULTILINE)
_PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}

#: Stands on the programs' first line, which is empty. The real print writes a line in pieces, so
#: two threads that print at the same moment would mix theirs.
_PRINT_WHOLE_LINES = (
    'def print(*values): import sys; sys.stdout.write(" ".join(map(str, values)) + "\\n")'
)

#: The password of client.key, on every page.
KEY_PASSWORD = "correct horse"


def program_of(page: str) -> str:
    """The blocks, each line where it stands on the page, so that a traceback shows it."""
    program = ""
    for block in _BLOCK.finditer(page):
        line = page.count("\n", 0, block.start(1))
        program += "\n" * (line - program.count("\n")) + block[1]
    return program


PAGES = {
    path.name: path.read_text(encoding="utf-8")
    for path in (*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md")
}
PROGRAMS = {name: program_of(page) for name, page in PAGES.items() if _BLOCK.search(page)}


def serve(peer: ScriptedPeer) -> None:
    """The server that the pages talk of: an echo, with some places and words of its own."""
    path = peer.read_request().target.partition("?")[0]
    if path == "/refused":
        peer.respond(403, "Forbidden", body="not today")
    elif path == "/moved":
        peer.redirect("/path")
    elif path == "/private" and not _is_login(peer):
        challenge = 'Digest realm="the cave", nonce="n", qop="auth"'
        peer.respond(401, headers=[("WWW-Authenticate", challenge)])
    elif path == "/welcome":
        peer.accept_upgrade(headers=[("Set-Cookie", "seat=12; Secure")])
        peer.expect_close()
    else:
        peer.accept_upgrade()
        try:
            _echo(peer)
        except (AssertionError, OSError):
            pass  # the client has gone without a Close, as reconnect() may


def _is_login(peer: ScriptedPeer) -> bool:
    given = peer.request.headers.get("authorization", "")
    return 'Digest username="Aladdin"' in given


def _echo(peer: ScriptedPeer) -> None:
    while True:
        frame = peer.receive_frame()
        if frame.opcode is tieline.Opcode.PING:
            peer.send_frame(tieline.Opcode.PONG, frame.payload)
        elif frame.opcode is tieline.Opcode.CLOSE:
            peer.send_frame(tieline.Opcode.CLOSE, frame.payload)
            return
        elif frame.payload in (b"that is all", b"subscribe"):
            if frame.payload == b"subscribe":
                peer.send_text("the first of the news")
            peer.send_close(1000, "that was all")
            peer.expect_close()
            return
        elif frame.payload == b"restart":
            peer.send_close(1012, "restarting")
            peer.expect_close()
            return
        elif frame.opcode is not tieline.Opcode.PONG:
            peer.send_frame(frame.opcode, frame.payload, fin=frame.fin)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the programs run: it holds the files that the pages name."""
    folder = tmp_path_factory.mktemp("docs")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(
        folder / "server.pem"
    )
    client = authority.issue_cert("client@example.com")
    client.cert_chain_pems[0].write_to_path(folder / "client.crt")
    key = serialization.load_pem_private_key(client.private_key_pem.bytes(), None)
    (folder / "client.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(KEY_PASSWORD.encode()),
        )
    )
    return folder


@pytest.fixture
def localize(folder) -> Iterator:
    """`localize(program)`: the program with this machine's servers in place of the examples'."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    unix_path = str(folder / "feed.sock")
    options = {"repeat": True, "timeout": PATIENCE}
    with (
        ScriptedServer(serve, **options) as plain,
        ScriptedServer(serve, ssl_context=context, **options) as secure,
        ScriptedServer(serve, path=unix_path, **options) as unix,
    ):

        def localize(program: str) -> str:
            program = program.replace("8080", str(plain.port))
            program = re.sub(
                r"(wss|https)://([^/\s\"']*@)?example\.com",
                rf"\1://\2localhost:{secure.port}",
                program,
            )
            program = re.sub(
                r"(ws|feed)://([^/\s\"']*@)?example\.com", r"\1://\g<2>127.0.0.1", program
            )
            program = program.replace("%2frun%2ffeed.sock", quote(unix_path, safe=""))
            return program.replace("/run/feed.sock", unix_path)

        yield localize
        for server in (plain, secure, unix):
            assert server.errors == []
    (folder / "feed.sock").unlink()


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_examples_of_a_page_run(name, folder, localize):
    script = folder / f"{name}.py"
    assert PROGRAMS[name].startswith("\n")
    script.write_text(_PRINT_WHOLE_LINES + localize(PROGRAMS[name]), encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key.lower() not in _PROXIES}
    # What the system would trust on the readers' machines.
    environment["SSL_CERT_FILE"] = str(folder / "ca.pem")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    printed = iter(done.stdout.splitlines())
    for promised in _PRINTS.findall(PROGRAMS[name]):
        assert promised.strip() in printed, (
            f"{promised!r} is not, or not in this order, in what was printed:\n{done.stdout}"
        )


def test_pages_and_navigation_agree():
    """mkdocs checks this too, but is not installed everywhere."""
    named = set(re.findall(r"\b([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert named == {path.name for path in (ROOT / "docs").glob("*.md")}
