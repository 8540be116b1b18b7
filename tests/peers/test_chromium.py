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
from tests.peers.fronts import Line
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


def command(line: Line, method: str, **parameters: object) -> dict:
    """Send a command and wait for its answer."""
    number = next(_ids)
    line.send(json.dumps({"id": number, "method": method, "params": parameters}))
    while True:
        answer = json.loads(line.receive())
        if answer.get("id") == number:
            return answer["result"]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    chromium = Chromium(tmp_path_factory.mktemp("chromium"))
    yield chromium
    chromium.stop()


def test_commands_and_answers(chromium, front):
    info = {}
    line = front.open(chromium.browser_url, info, headers={"X-Seat": "1"})
    assert line.connection.response["status_code"] == 101
    assert line.connection.response["upgrade"].lower() == "websocket"
    assert info["request-headers"]["X-Seat"] == "1"
    assert info["response-code"] == 101
    assert "Chrom" in command(line, "Browser.getVersion")["product"]


@pytest.mark.parametrize("size", [1, 125, 126, 65_535, 65_536, 5_000_000])
def test_answers_of_every_length(chromium, front, size):
    line = front.open(chromium.new_page())
    result = command(line, "Runtime.evaluate", expression=f"'ü'.repeat({size})", returnByValue=True)
    assert result["result"]["value"] == "ü" * size


def test_long_commands(chromium, front):
    line = front.open(chromium.new_page())
    expression = "/*" + "x" * 1_000_000 + "*/ 6 * 7"
    result = command(line, "Runtime.evaluate", expression=expression)
    assert result["result"]["value"] == 42


def test_many_commands_at_once_are_answered_in_order(chromium, front):
    line = front.open(chromium.new_page())
    for number in range(200):
        parameters = {"expression": str(number)}
        line.send(json.dumps({"id": number, "method": "Runtime.evaluate", "params": parameters}))
    answers = [json.loads(line.receive()) for _ in range(200)]
    assert [answer["id"] for answer in answers] == list(range(200))
    assert [answer["result"]["result"]["value"] for answer in answers] == list(range(200))


def test_the_page_is_closed(chromium, front):
    page = chromium.new_page()
    line = front.open(page)
    command(front.open(chromium.browser_url), "Target.closeTarget", targetId=page.split("/")[-1])
    assert line.ended() == line.connection.close_info
    line.receive_rest()
    assert not line.connection.is_open()
    with pytest.raises(tieline.ConnectError):
        front.open(page)


def test_connect_while_connected_opens_a_new_connection(chromium, received, make_client):
    client = make_client(received, chromium.browser_url)

    def assert_answers():
        version = json.dumps({"id": 0, "method": "Browser.getVersion"})
        answer = client.wait_for(lambda message: True, PATIENCE, send=version)
        assert "Chrom" in answer
        assert received.next() == answer

    client.connect()
    first = client.connection_id
    client.connect()
    assert received.next() is None
    assert client.connection_id > first
    assert_answers()
    client.disconnect()
    assert received.next() is None
    assert client.close_info.sent == (1001, "")
    assert not client.isOpen()
    client.connect()
    assert_answers()


def test_an_unknown_path_is_a_refusal(chromium, front):
    info = {}
    with pytest.raises(tieline.HandshakeError) as raised:
        front.open(f"ws://127.0.0.1:{chromium.port}/devtools/page/none", info)
    assert info["response-code"] == raised.value.response.status >= 400


def test_the_browser_ends(tmp_path, front):
    chromium = Chromium(tmp_path)
    try:
        line = front.open(chromium.browser_url)
        line.send(json.dumps({"id": 0, "method": "Browser.close"}))
        assert line.ended() == line.connection.close_info
        line.receive_rest()
        assert not line.connection.is_open()
    finally:
        chromium.stop()
