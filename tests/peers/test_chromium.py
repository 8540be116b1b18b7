"""Chromium: its DevTools socket is a server, and its pages are clients of ours.

The DevTools expect commands in JSON and answer at length; a command makes a page connect.
"""

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
from tieline import Deflate, Opcode
from tieline.testing import EchoServer, ScriptedServer

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


#: A page's own connection: sends messages and gathers what comes back, until it is as many.
_TALK = """
new Promise((resolve, reject) => {
    const noise = crypto.getRandomValues(new Uint8Array(60000));
    const sent = ["", "x", new Uint8Array(0), noise, "grüße ".repeat(200000)];
    for (let i = 0; i < 100; i++) sent.push(JSON.stringify({symbol: "ABC", price: 100 + i / 8}));
    const same = (a, b) => typeof a === "string" ? a === b
        : a.length === b.byteLength && a.every((byte, i) => byte === new Uint8Array(b)[i]);
    const websocket = new WebSocket(URL_);
    websocket.binaryType = "arraybuffer";
    websocket.onopen = () => sent.forEach((message) => websocket.send(message));
    websocket.onerror = () => reject(new Error("the page's connection failed"));
    let count = 0, right = 0;
    websocket.onmessage = (event) => {
        right += same(sent[count], event.data);
        if (++count === sent.length) websocket.close(1000, "done");
    };
    websocket.onclose = (event) => resolve(
        {right, count, extensions: websocket.extensions, code: event.code});
})
"""

_MESSAGES = 105


def talk_in_page(chromium, front, url):
    """What came of a page's connection to `url`."""
    expression = _TALK.replace("URL_", json.dumps(url))
    line = front.open(chromium.new_page())
    answer = command(
        line, "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
    )
    assert "exceptionDetails" not in answer, answer
    return answer["result"]["value"]


@pytest.mark.parametrize("front", ["sync"], indirect=True)
@pytest.mark.parametrize(
    ("compression", "agreed"),
    [
        ("deflate", "permessage-deflate; client_max_window_bits=12"),
        (Deflate(client_max_window_bits=15), "permessage-deflate"),
        (
            Deflate(server_context_takeover=False, client_context_takeover=False),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
            "client_max_window_bits=12",
        ),
        (
            Deflate(server_max_window_bits=9, client_max_window_bits=9, threshold=0),
            "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9",
        ),
        (None, ""),
    ],
    ids=["deflate", "greatest window", "no takeover", "smallest windows", "None"],
)
def test_a_page_talks_to_our_server(chromium, front, compression, agreed):
    offers, ends = [], []
    with EchoServer(
        compression=compression,
        on_open=lambda connection: offers.append(
            connection.request.headers["Sec-WebSocket-Extensions"]
        ),
        on_close=lambda connection, info: ends.append((info.code, info.reason, info.clean)),
    ) as server:
        seen = talk_in_page(chromium, front, server.url)
    assert offers == ["permessage-deflate; client_max_window_bits"]
    assert seen == {
        "right": _MESSAGES,
        "count": _MESSAGES,
        "extensions": agreed,
        "code": 1000,
    }
    assert ends == [(1000, "done", True)]


@pytest.mark.parametrize("front", ["sync"], indirect=True)
@pytest.mark.parametrize("parameters", ["", "; client_no_context_takeover"])
def test_the_page_compresses_and_understands_what_is_compressed(chromium, front, parameters):
    marked, pongs = [], []

    def echo(peer):
        peer.accept_upgrade(extensions=f"permessage-deflate{parameters}")
        while (frame := peer.receive_frame()).opcode is not Opcode.CLOSE:
            if frame.opcode is Opcode.PONG:
                pongs.append(frame.payload)
                continue
            marked.append(frame.rsv1)
            middle = len(frame.payload) // 2
            peer.send_frame(frame.opcode, frame.payload[:middle], fin=False, compress=True)
            peer.send_frame(Opcode.PING, b"between")
            peer.send_frame(Opcode.CONTINUATION, frame.payload[middle:], compress=True)
        peer.send_frame(Opcode.CLOSE, frame.payload)

    with ScriptedServer(echo) as server:
        seen = talk_in_page(chromium, front, server.url)
    assert (seen["right"], seen["count"], seen["code"]) == (_MESSAGES, _MESSAGES, 1000)
    assert len(marked) == _MESSAGES and all(marked)
    assert set(pongs) == {b"between"}
