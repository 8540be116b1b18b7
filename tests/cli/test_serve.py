"""What `tieline serve` promises: an address, a line for each client, an end on Ctrl-C."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from tests.cli.conftest import PATIENCE, Program
from tieline import WebSocketClient
from tieline.cli import main

pytestmark = pytest.mark.slow


def url_of(program: Program) -> str:
    program.read_until("\n")
    found = re.match(rb"listening on (\S+)\n", program.seen)
    assert found is not None
    return found[1].decode()


def echoed(url: str, **options: object) -> object:
    with WebSocketClient(lambda message: None, url, proxy=None, **options) as client:
        return client.wait_for(lambda message: True, PATIENCE, send="hello")


def test_echoes_and_logs_one_line_for_each_end_of_a_connection(
    start: Callable[..., Program],
) -> None:
    program = start("serve", measured=False)
    url = url_of(program)
    assert echoed(url + "path?token=hidden") == "hello"
    program.read_until("1 closed")
    assert echoed(url) == "hello"
    program.read_until("2 closed")
    program.signal(signal.SIGINT)

    assert program.end() == 130
    log = program.seen.decode().splitlines()[1:]
    assert re.fullmatch(r"1 open from 127\.0\.0\.1:\d+ /path\?token=\*\*\*", log[0])
    assert log[1] == "1 closed 1000 (normal closure), begun by the remote side"
    assert [line.split()[0] for line in log] == ["1", "1", "2", "2"]
    assert program.process.stderr is not None
    assert program.process.stderr.read() == b""


def test_closes_its_clients_when_it_ends(start: Callable[..., Program]) -> None:
    program = start("serve", measured=False)
    client = WebSocketClient(lambda message: None, url_of(program), proxy=None)
    client.connect()
    program.signal(signal.SIGTERM)

    assert client.wait(PATIENCE).code == 1001
    assert program.end() == 143


def test_serves_tls(start: Callable[..., Program], tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    program = start(
        "serve", "--cert", str(tmp_path / "cert.pem"), "--key", str(tmp_path / "key.pem")
    )
    url = url_of(program)
    assert url.startswith("wss://127.0.0.1:")

    assert echoed(url, ssl_ca_data=authority.cert_pem.bytes()) == "hello"


def test_a_port_that_is_taken(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 1

    error = capfd.readouterr().err
    assert error == f"tieline: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_files_that_are_no_certificate(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("not a certificate")
    assert main(["serve", "--cert", str(tmp_path / "cert.pem")]) == 2
    assert "expected PEM files with a certificate and its key" in capfd.readouterr().err

    for words in (
        ["--cert", "/none.pem"],
        ["--cert", str(tmp_path / "cert.pem"), "--key", "/none"],
    ):
        assert main(["serve", *words]) == 2
        error = f"{words[-2]}: cannot read {words[-1]!r}: No such file or directory"
        assert capfd.readouterr().err == f"tieline: {error}\n"

    assert main(["serve", "--key", "key.pem"]) == 2
    assert "--key: expected --cert as well" in capfd.readouterr().err
