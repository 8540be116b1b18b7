"""WebSocketClient: every method, handler and attribute that users were promised."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tieline
from tieline import OptionError, State, WebSocketClient
from tieline.testing import EchoServer, Recorder, ScriptedServer

SOON = 20.0


def ignore(message: object) -> None:
    """A callback."""


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    with EchoServer(subprotocols=["v2.example"]) as server:
        yield server


@pytest.fixture
def client(echo: EchoServer) -> Iterator[WebSocketClient]:
    made = WebSocketClient(ignore, echo.url, proxy=None)
    made.connect()
    yield made
    made.disconnect()


# --- making one -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda url: WebSocketClient(ignore, url),
        lambda url: WebSocketClient(ignore, {"url": url}),
        lambda url: WebSocketClient(ignore, url=url),
        lambda url: WebSocketClient(url, on_message=ignore),
        lambda url: WebSocketClient({"url": url, "on_message": ignore}),
        lambda url: WebSocketClient(on_open=ignore, url=url),
        lambda url: WebSocketClient(ignore, {"url": "ws://other/"}, url=url),
        lambda url: WebSocketClient(callback=ignore, url=url),
        lambda url: WebSocketClient(ignore, tieline.Options.build(url)),
    ],
)
def test_every_way_to_make_one(make: Callable[[str], WebSocketClient]) -> None:
    made = make("wss://example.com/feed")
    assert made.url == "wss://example.com/feed"
    assert made.state is State.CLOSED and not made.is_open() and not made.isOpen()
    assert (made.connection_id, made.response, made.subprotocol) == (-1, None, None)
    assert (made.close_info, made.latency) == (None, None)
    assert made.stats().connects == 0


@pytest.mark.parametrize(
    ("make", "texts"),
    [
        (lambda: WebSocketClient(ignore), ["'url' is missing", "wss://"]),
        (lambda: WebSocketClient(ignore, {}), ["'url' is missing"]),
        (lambda: WebSocketClient("ws://a/"), ["callback is missing", "on_message"]),
        (lambda: WebSocketClient(None, "ws://a/"), ["callback is missing"]),
        (lambda: WebSocketClient(5, "ws://a/"), ["callback", "function", "int"]),  # type: ignore
        (lambda: WebSocketClient(ignore, 5), ["int", "URL"]),
        (lambda: WebSocketClient(ignore, "ftp://a/"), ["ftp", "ws"]),
        (lambda: WebSocketClient(ignore, "ws://"), ["host"]),
        (lambda: WebSocketClient(ignore, "ws://a/", timeout="x"), ["'timeout'", "str", "seconds"]),
        (lambda: WebSocketClient(ignore, "ws://a/", tiemout=1), ["tiemout", "timeout"]),
        (lambda: WebSocketClient(ignore, "ws://a/", on_mesage=ignore), ["on_mesage", "on_message"]),
        (lambda: WebSocketClient(ignore, "ws://a/", on_close=5), ["on_close", "function", "int"]),
        (lambda: WebSocketClient(ignore, "ws://a/", callback=ignore), ["callback is given twice"]),
        (lambda: WebSocketClient(ignore, "ws://a/", url="ws://b/"), ["'url' is given twice"]),
    ],
)
def test_what_cannot_be_made(make: Callable[[], WebSocketClient], texts: list[str]) -> None:
    with pytest.raises(OptionError) as error:
        make()
    for text in texts:
        assert text in str(error.value)
    assert error.value.err == "WEBSOCKET-ERROR"


def test_the_url_shows_no_secret_where_it_is_for_people() -> None:
    made = WebSocketClient(ignore, "wss://user:hunter2@example.com/?token=hunter2&a=1")
    assert "hunter2" in made.url
    assert "hunter2" not in made.safe_url + repr(made) + str(made.connection_info())
    assert "a=1" in made.safe_url


def test_a_url_of_a_callable(echo: EchoServer) -> None:
    made = WebSocketClient(ignore, lambda: echo.url, proxy=None)
    assert made.url == ""
    with made:
        assert made.url == echo.url


# --- connecting -----------------------------------------------------------------------------------


def test_the_readme() -> None:
    got: list[Any] = []
    all_came = threading.Event()

    def on_message(message: str | bytes | None) -> None:
        got.append(message)
        if message == "hello":
            all_came.set()

    with EchoServer() as server:
        client = WebSocketClient(on_message, server.url, proxy=None)
        response = client.connect()
        client.send("hello")
        assert all_came.wait(SOON)
        client.disconnect()
    assert got == ["hello", None]
    assert response["status_code"] == 101
    assert response["status_message"] == "Switching Protocols"
    assert response["http_version"] == "1.1"
    assert response["upgrade"] == "websocket"


def test_what_connect_tells(echo: EchoServer) -> None:
    info: dict[str, Any] = {}
    made = WebSocketClient(ignore, echo.url, proxy=None, subprotocols=["v1", "v2.example"])
    response = made.connect({"hdr": {"X-One": "1"}}, info, headers=[("X-Two", "2")])
    try:
        assert made.response is response
        assert made.subprotocol == response.subprotocol == "v2.example"
        assert info["request-headers"]["X-One"] == "1"
        assert info["request-headers"]["X-Two"] == "2"
        shown = made.connection_info()
        assert {"peer", "local", "timings", "redirects"} <= shown.keys()
        assert shown["state"] == "open" and shown["connection_id"] == made.connection_id > 0
        assert echo.connections[0].request.headers["x-one"] == "1"
        assert echo.connections[0].request.headers["x-two"] == "2"
    finally:
        made.disconnect()


def test_info_is_filled_also_when_it_fails() -> None:
    made = WebSocketClient(ignore, "ws://127.0.0.1:1/", proxy=None)
    info: dict[str, Any] = {}
    with pytest.raises(tieline.ConnectError):
        made.connect(None, info)
    assert info["url"] == "ws://127.0.0.1:1/"
    assert "total" in info["timings"]
    assert made.state is State.CLOSED and not made.is_open()


def test_with(echo: EchoServer) -> None:
    with WebSocketClient(ignore, echo.url, proxy=None) as made:
        assert made.is_open() and made.isOpen()
    assert made.close_info is not None and made.close_info.sent == (1000, "")
    with pytest.raises(ZeroDivisionError):
        with made:
            raise ZeroDivisionError
    assert not made.is_open()


def test_run_forever_returns_how_it_ended(echo: EchoServer) -> None:
    made = WebSocketClient(
        ignore, echo.url, proxy=None, on_open=lambda response: made.disconnect(4000)
    )
    info = made.run_forever()
    assert info is made.close_info and info.code == 4000


def test_run_forever_with_a_connection_that_is_up(client: WebSocketClient) -> None:
    number = client.connection_id
    timer = threading.Timer(0.02, client.disconnect)
    timer.start()
    assert client.run_forever().sent.code == 1001
    timer.join()
    assert client.stats().connects == 1 and number > 0


def test_wait_from_many_threads(client: WebSocketClient) -> None:
    infos: list[Any] = []
    threads = [threading.Thread(target=lambda: infos.append(client.wait(SOON))) for _ in range(5)]
    for thread in threads:
        thread.start()
    client.disconnect()
    for thread in threads:
        thread.join(SOON)
    assert infos == [client.close_info] * 5


# --- wait_for -------------------------------------------------------------------------------------


def test_wait_for(client: WebSocketClient) -> None:
    client.send("a")
    assert client.wait_for(lambda message: message == "c", SOON, send=iter(["c"])) == "c"
    assert client.wait_for(lambda message: isinstance(message, bytes), SOON, send=b"") == b""


def test_wait_for_two_at_once(client: WebSocketClient) -> None:
    found: list[Any] = []

    def look(text: str) -> None:
        found.append(client.wait_for(lambda message: message == text, SOON, send=text))

    threads = [threading.Thread(target=look, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    assert sorted(found) == [str(number) for number in range(8)]


def test_what_the_predicate_raises(client: WebSocketClient) -> None:
    def predicate(message: Any) -> bool:
        raise SystemExit("no")

    with pytest.raises(SystemExit, match="no"):
        client.wait_for(predicate, SOON, send="a")
    assert client.wait_for(lambda message: True, SOON, send="b") in ("a", "b")


def test_wait_for_ends_with_the_connection() -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_text("question")
        peer.finish(4001, "no answer")

    with ScriptedServer(script) as server:
        made = WebSocketClient(ignore, server.url, proxy=None)
        made.connect()
        with pytest.raises(tieline.ConnectionClosed) as error:
            made.wait_for(lambda message: True, SOON, send="question")
        assert error.value.close_info.code == 4001
        assert error.value.close_info is made.wait(SOON)


def test_wait_for_when_it_is_over(client: WebSocketClient) -> None:
    client.disconnect()
    with pytest.raises(tieline.ConnectionClosed, match="closed"):
        client.wait_for(lambda message: True, SOON)


def test_predicates_that_run_nothing(client: WebSocketClient) -> None:
    """What a call of them makes is always true."""

    async def asynchronous(message: object) -> bool:
        return False

    def generator(message: object) -> Any:
        yield False

    for predicate in (asynchronous, generator, 5):
        with pytest.raises(OptionError, match="^predicate: expected a function, got "):
            client.wait_for(predicate, SOON)  # type: ignore[arg-type]


def test_what_wait_for_cannot_send(client: WebSocketClient) -> None:
    with pytest.raises(OptionError):
        client.wait_for(lambda message: True, SOON, send=5)
    assert client._line.callbacks.watchers == []


# --- handlers and attributes ----------------------------------------------------------------------


def test_the_handlers_in_their_order(echo: EchoServer) -> None:
    recorder = Recorder()
    made = WebSocketClient(
        recorder.callback,
        echo.url,
        proxy=None,
        **recorder.handlers("open", "close", "pong", "error"),
    )
    with made:
        made.ping(b"p").wait(SOON)
        made.wait_for(lambda message: True, SOON, send="m")
    assert recorder.expect("open") is made.response
    recorder.expect("pong", b"p")
    recorder.expect("message", "m")
    assert recorder.expect("close") is made.close_info
    recorder.expect("end")
    recorder.assert_exhausted()
    assert len(recorder.threads) == 1
    assert threading.current_thread() not in recorder.threads


def test_on_frame_sees_everything_first(echo: EchoServer) -> None:
    recorder = Recorder()
    with WebSocketClient(recorder.callback, echo.url, proxy=None, on_frame=recorder.on_frame) as c:
        c.wait_for(lambda message: True, SOON, send="a")
        c.ping(b"p").wait(SOON)
    told = [(one.kind, getattr(one.value, "payload", one.value)) for one in recorder.take()]
    assert told[:3] == [("frame", b"a"), ("message", "a"), ("frame", b"p")]
    assert told[-1] == ("end", None)


def test_on_frame_can_stop(echo: EchoServer) -> None:
    recorder = Recorder()
    recorder.react("frame", lambda frame: tieline.FrameAction.STOP)
    made = WebSocketClient(recorder.callback, echo.url, proxy=None, on_frame=recorder.on_frame)
    made.connect()
    made.send("a")
    assert made.wait(SOON).sent.code == 1001
    assert recorder.messages == []


def test_latency_and_stats(client: WebSocketClient) -> None:
    assert client.latency is None
    round_trip = client.ping().wait(SOON)
    assert client.latency == round_trip > 0
    client.wait_for(lambda message: True, SOON, send="abc")
    stats = client.stats()
    assert (stats.messages_sent, stats.messages_received) == (1, 1)
    assert (stats.pings_sent, stats.pongs_received) == (1, 1)
    assert (stats.wire_bytes_sent, stats.wire_bytes_received) == (6 + 9, 2 + 5)
    client.reset_stats()
    after = client.stats()
    assert (after.messages_sent, after.wire_bytes_sent, after.latency.count) == (0, 0, 0)


def test_text_as_bytes(echo: EchoServer) -> None:
    with WebSocketClient(ignore, echo.url, proxy=None, decode_text=False) as made:
        assert made.wait_for(lambda message: True, SOON, send="ü") == "ü".encode()


def test_a_message_that_is_too_big(echo: EchoServer) -> None:
    errors: list[Exception] = []
    made = WebSocketClient(
        ignore, echo.url, proxy=None, max_message_size=10, on_error=errors.append
    )
    made.connect()
    made.send("x" * 11)
    info = made.wait(SOON)
    assert info.sent.code == 1009
    assert isinstance(errors[0], tieline.MessageTooBig) and errors[0] is info.error
    assert "11" in str(info.error) and "max_message_size" in str(info.error)
