"""Each program of examples/, run as a user runs it, against a server on this machine."""

from __future__ import annotations

import ast
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

import tieline
from tests.peers.tinyproxy import Tinyproxy
from tests.unmeasured import unmeasured
from tieline.testing import EchoServer

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parent.parent / "examples"

#: Seconds after which an example that has not ended by itself has failed.
PATIENCE = 30

#: Variables that would send a loopback connection through a proxy.
_PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}


NAMES = [path.stem for path in sorted(EXAMPLES.glob("*.py"))]

#: Those that have something to do when they are given nothing.
WITHOUT_ARGUMENTS = {"feed_server", "testing_with_scripted_server"}


def run(name: str, *arguments: str, stdin: str = "", **environment: str) -> list[str]:
    """The lines that the example prints. It must end by itself, with status 0 and no complaint."""
    done = complete(name, *arguments, stdin=stdin, **environment)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.splitlines()


def complete(
    name: str, *arguments: str, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """What became of the example."""
    inherited = {key: value for key, value in os.environ.items() if key.lower() not in _PROXIES}
    return subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), *arguments],
        input=stdin,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@contextmanager
def started(name: str, *arguments: str) -> Iterator[str]:
    """The first line that a server among the examples prints, while it runs. Ctrl-C ends it."""
    command = [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), *arguments]
    with subprocess.Popen(
        command, env=unmeasured(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        # Whatever goes wrong, the server does not outlive its time, and nothing waits for it.
        guard = threading.Timer(10 * PATIENCE, server.kill)
        guard.start()
        try:
            yield server.stdout.readline().strip()
            server.send_signal(signal.SIGINT)
            rest = server.communicate(timeout=PATIENCE)
        finally:
            guard.cancel()
            server.kill()
    assert (server.returncode, rest) == (0, ("", ""))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The server that some of the examples need and all of them can talk to."""
    with started("feed_server", "0") as url:
        yield url


def test_every_example_has_its_test():
    source = Path(__file__).read_text(encoding="utf-8")
    tested = set(re.findall(r'\b(?:run|started)\(\s*"(\w+)"', source))
    assert tested == set(NAMES)


@pytest.mark.parametrize("name", sorted(set(NAMES) - WITHOUT_ARGUMENTS))
def test_without_arguments_it_says_how_it_is_used(name):
    done = complete(name)
    source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.strip() == ast.get_docstring(ast.parse(source), clean=False).strip()
    assert f"python examples/{name}.py " in done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_it_says_which_server_it_needs(name):
    text = ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text(encoding="utf-8")))
    assert re.search(
        r"`tieline serve|`python examples/feed_server\.py`|It needs no server|ask\.py", text
    )


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("ask", "Does that server only echo?"),
        ("many", "Does that server send prices?"),
        ("market_feed", "Does that server send prices?"),
    ],
)
def test_a_server_that_only_echoes(name, complaint):
    with EchoServer() as server:
        done = complete(name, server.url)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == complaint
    assert "Traceback" not in done.stderr


def test_seed(url):
    lines = run("seed", url)
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} msg: "
    program = [stamp + r"'hello'", stamp + r"b'\\x01\\x02'", "connection closed"]
    expected = [*program, r"status 101, GET / HTTP/1\.1", *program]
    assert len(lines) == len(expected)
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern, line)


def test_echo_chat(url):
    lines = run("echo_chat", url, stdin="hello\nhow are you\n")
    assert [line for line in lines if line.startswith(">")] == ["> hello", "> how are you"]
    assert [line for line in lines if line.startswith("<")] == ["< hello", "< how are you"]
    assert lines[-1].startswith("closed: 1000")


def test_market_feed(url):
    lines = run("market_feed", url)
    assert lines[0] == "subscribed: ['ABC', 'XYZ']"
    assert lines[1:3] == ["ABC 109.80", "XYZ 109.90"]
    assert lines[3].startswith("101 messages, ")


def test_ask(url):
    assert run("ask", url) == [
        "status: status as asked",
        "users: users as asked",
        "no answer to the third",
        "status: status as asked",
        "closed: 1000 (normal closure), begun by the local side",
    ]


def test_many(url):
    lines = run("many", url, "20")
    assert lines == ["S0 109.90", "S1 109.90", "S2 109.90", "20 feeds read, on one thread"]


def test_feed_server_echoes_what_it_does_not_know(url):
    for message in ["hello", "5", '{"op": "subscribe"}', '{"id": 1}', b"\xff\x00"]:
        with tieline.connect(url, proxy=None) as ws:
            ws.send(message)
            assert ws.recv(timeout=PATIENCE) == message


def test_shared_reactor(url):
    assert run("shared_reactor", url, "25") == ["25 connections answered, on 1 thread"]


def executor_output(url):
    lines = run("executor", url)
    worked = [line.partition(", on ") for line in lines if line.startswith("worked")]
    assert [before for before, _, _ in worked] == [f"worked on job {n}" for n in range(5)]
    assert all(thread.startswith("worker") for _, _, thread in worked)
    return lines


def test_executor(url):
    """The ping does not wait for the work of 0.25 s. A busy machine may hold it up now and then."""
    assert any("ping answered" in "".join(executor_output(url)[:-1]) for _ in range(5))


@pytest.mark.parametrize("password", ["", "correct horse"])
def test_tls_client_certificate(tmp_path, password):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    client = authority.issue_cert("client@example.com")
    client.cert_chain_pems[0].write_to_path(tmp_path / "client.crt")
    key = serialization.load_pem_private_key(client.private_key_pem.bytes(), None)
    encryption = (
        serialization.BestAvailableEncryption(password.encode())
        if password
        else serialization.NoEncryption()
    )
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (tmp_path / "client.key").write_bytes(key.private_bytes(*form, encryption))
    environment = {"KEY_PASSWORD": password} if password else {}

    with EchoServer(ssl_context=context) as server:
        url = f"wss://localhost:{server.port}/"
        files = [str(tmp_path / name) for name in ("ca.pem", "client.crt", "client.key")]
        lines = run("tls_client_certificate", url, *files, **environment)
    assert lines[0].startswith("TLS: {'version': 'TLSv1.3'")
    assert "answer: who am I?" in lines
    assert lines[-1] == "closed: 1000 (normal closure), begun by the local side"


@pytest.mark.peers
@pytest.mark.parametrize("given", ["as argument", "by the environment"])
def test_proxy(url, given):
    proxy = Tinyproxy()
    try:
        if given == "as argument":
            lines = run("proxy", url, proxy.url())
        else:
            lines = run("proxy", url, http_proxy=proxy.url())
    finally:
        proxy.stop()
    assert re.match(rf"through http://.*127\.0\.0\.1:{proxy.port}", lines[0])
    assert "sesame" not in "".join(lines)
    assert "answer: hello" in lines


def test_reconnect_by_hand(url):
    lines = run("reconnect_by_hand", url, "2")
    assert lines.count("yes") == lines.count("None") == 2
    ended = [line for line in lines if line.startswith("it ended: 1001")]
    assert len(ended) == 2
    assert "'no'" in ended[0]
    assert lines[-1] == "2 connections in 2 rounds"


def test_staying_up(url):
    lines = run("staying_up", url, "2")
    hung_up = "1001 (going away) 'no', begun by the remote side"
    assert lines == [
        "open",
        "got I am interested",
        "got yes",
        f"attempt 1: {hung_up}",
        "open again, dials: 1",
        "got I am interested",
        "got written before attempt 1",
        "got yes",
        f"attempt 2: {hung_up}",
        "open again, dials: 1",
        "got I am interested",
        "got written before attempt 2",
        "got goodbye",
        "2 reconnects, 0 messages dropped",
    ]


def test_pings(url):
    lines = run("pings", url, "3")
    assert all(re.fullmatch(r"\d+\.\d\d ms", line) for line in lines[:3])
    assert lines[3] == "content of the pongs: [b'number 0', b'number 1', b'number 2']"
    assert lines[-1].startswith("3 round trips, the longest ")


def test_frames(url):
    lines = run("frames", url)
    assert [line for line in lines if line.startswith("message")] == [
        "message: hello",
        "message: by hand",
    ]
    assert "frame: TEXT b'secret' [6 bytes]" in lines
    assert lines[-1].startswith("closed: ")


def test_testing_with_scripted_server():
    lines = run("testing_with_scripted_server")
    assert len(lines) == 3
    assert all(line.startswith("passed: test_") for line in lines)
