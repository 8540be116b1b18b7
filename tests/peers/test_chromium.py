"""Chromium's DevTools socket: a server that expects commands in JSON and answers at length."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from itertools import count
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

import pytest

import tieline
from tests.peers.clients import Received
from tests.peers.processes import PATIENCE, find_program

pytestmark = [pytest.mark.peers, pytest.mark.slow]

_START_PATIENCE = 30.0

_SWITCHES = (
    "--headless --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--remote-debugging-port=0 --remote-allow-origins=*"
).split()


class Chromium:
    """A headless browser with its DevTools server on a port of its own choice."""

    def __init__(self, folder: Path) -> None:
        program = find_program("chromium")
        self.process = subprocess.Popen(
            [program, *_SWITCHES, f"--user-data-dir={folder}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # A group of its own, so that `stop` reaches its many processes.
            start_new_session=True,
        )
        try:
            port, self.browser_path = self._read_address(folder / "DevToolsActivePort")
        except BaseException:
            self.stop()
            raise
        self.port = int(port)
        # This machine's proxy settings are not for loopback.
        self._http = build_opener(ProxyHandler({}))

    def _read_address(self, file: Path) -> list[str]:
        deadline = time.monotonic() + _START_PATIENCE
        while True:
            lines = file.read_text().split() if file.exists() else []
            if len(lines) == 2:
                return lines
            try:
                status = self.process.wait(0.02)
            except subprocess.TimeoutExpired:
                assert time.monotonic() < deadline, "Chromium did not open its DevTools port"
            else:
                pytest.fail(f"Chromium ended with status {status} instead of starting")

    @property
    def browser_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}{self.browser_path}"

    def new_page(self) -> str:
        """The address of a new page's socket."""
        request = Request(f"http://127.0.0.1:{self.port}/json/new?about:blank", method="PUT")
        with self._http.open(request, timeout=PATIENCE) as response:
            return json.load(response)["webSocketDebuggerUrl"]

    def stop(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has ended, and its children with it
        self.process.wait(PATIENCE)


_ids = count(1)


def command(client: tieline.WebSocketClient, method: str, **parameters: object) -> dict:
    """Send a command and wait for its answer."""
    number = next(_ids)
    answer = client.wait_for(
        lambda message: json.loads(message).get("id") == number,
        PATIENCE,
        send=json.dumps({"id": number, "method": method, "params": parameters}),
    )
    return json.loads(answer)["result"]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    chromium = Chromium(tmp_path_factory.mktemp("chromium"))
    yield chromium
    chromium.stop()


def test_commands_and_answers(chromium, received, make_client):
    client = make_client(received, chromium.browser_url)
    info = {}
    response = client.connect({"hdr": {"X-Seat": "1"}}, info)
    assert response["status_code"] == 101
    assert response["upgrade"].lower() == "websocket"
    assert info["request-headers"]["X-Seat"] == "1"
    assert info["response-code"] == 101
    version = command(client, "Browser.getVersion")
    assert "Chrom" in version["product"]
    shown = received.next()
    assert type(shown) is str
    assert json.loads(shown)["result"] == version


@pytest.mark.parametrize("size", [1, 125, 126, 65_535, 65_536, 5_000_000])
def test_answers_of_every_length(chromium, received, make_client, size):
    client = make_client(received, chromium.new_page())
    client.connect()
    result = command(
        client, "Runtime.evaluate", expression=f"'ü'.repeat({size})", returnByValue=True
    )
    assert result["result"]["value"] == "ü" * size


def test_long_commands(chromium, received, make_client):
    client = make_client(received, chromium.new_page())
    client.connect()
    expression = "/*" + "x" * 1_000_000 + "*/ 6 * 7"
    result = command(client, "Runtime.evaluate", expression=expression)
    assert result["result"]["value"] == 42


def test_many_commands_at_once_are_answered_in_order(chromium, received, make_client):
    client = make_client(received, chromium.new_page())
    client.connect()
    for number in range(200):
        client.send_json(
            {"id": number, "method": "Runtime.evaluate", "params": {"expression": str(number)}}
        )
    answers = [json.loads(received.next()) for _ in range(200)]
    assert [answer["id"] for answer in answers] == list(range(200))
    assert [answer["result"]["result"]["value"] for answer in answers] == list(range(200))


def test_callback_gets_none_once_when_the_page_is_closed(chromium, received, make_client):
    page = chromium.new_page()
    client = make_client(received, page)
    client.connect()
    other = make_client(Received(), chromium.browser_url)
    other.connect()
    command(other, "Target.closeTarget", targetId=page.rpartition("/")[2])
    received.until_none()
    received.assert_thread_ends()
    assert not client.is_open()
    with pytest.raises(tieline.ConnectError):
        client.connect()
    assert not client.is_open()


def test_connect_while_connected_opens_a_new_connection(chromium, received, make_client):
    client = make_client(received, chromium.browser_url)
    client.connect()
    first = client.connection_id
    client.connect()
    assert received.next() is None
    assert client.connection_id > first
    assert command(client, "Browser.getVersion")
    client.disconnect()
    assert client.close_info.sent == (1001, "")
    assert not client.isOpen()
    client.connect()
    assert command(client, "Browser.getVersion")


def test_an_unknown_path_is_a_refusal(chromium, received, make_client):
    client = make_client(received, f"ws://127.0.0.1:{chromium.port}/devtools/page/none")
    info = {}
    with pytest.raises(tieline.HandshakeError) as raised:
        client.connect(info=info)
    assert info["response-code"] == raised.value.response.status >= 400


def test_the_browser_ends(tmp_path, received, make_client):
    chromium = Chromium(tmp_path)
    try:
        client = make_client(received, chromium.browser_url)
        client.connect()
        client.send_json({"id": 0, "method": "Browser.close"})
        info = client.wait(PATIENCE)
        received.until_none()
        received.assert_thread_ends()
        assert info == client.close_info
        assert not client.is_open()
    finally:
        chromium.stop()
