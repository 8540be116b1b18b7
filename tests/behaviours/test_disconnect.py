"""disconnect() and connect(), from wherever they are called → one end per connection, no hang."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

import tieline
from tieline.events import OpenEvent, RequestEvent
from tieline.protocol.wire import Opcode
from tieline.testing import Recorder

SOON = 20.0

#: Seconds within which something happens that is said to happen at once, on a busy machine; what
#: it must not wait for lasts for longer.
AT_ONCE = 8.0

pytestmark = pytest.mark.usefixtures("without_second_chances")


def closing(recorder: Recorder) -> list[str]:
    """The kinds of the records that tell of an end, in order."""
    return [record.kind for record in recorder.take() if record.kind in ("close", "end")]


def test_from_outside(echo_place: Any, recorder: Recorder, within: Any) -> None:
    client = echo_place.client(recorder.callback, **recorder.handlers("open", "close", "error"))
    client.connect()
    with within(AT_ONCE):
        client.disconnect(4001, "bye")
    assert recorder.expect("open").status == 101
    info = recorder.expect("close")
    recorder.expect("end")
    recorder.assert_exhausted()
    assert info is client.close_info
    assert (info.code, info.clean, info.initiator) == (4001, True, "local")
    assert info.sent == (4001, "bye")
    assert not client.is_open()
    assert client.state is tieline.State.CLOSED
    assert client.connection_id == -1
    assert not any(
        thread.name.startswith("tieline-1") for thread in recorder.threads if thread.is_alive()
    )


def test_after_the_peers_close_the_thread_has_ended_too(
    clients: Any, recorder: Recorder, scripted: Any
) -> None:
    """The client has told of the end by then, but its thread may still be on its way out."""
    server = scripted(closes_at_once, repeat=True)
    client = clients(recorder.callback, server.url)
    for _ in range(30):
        client.connect()
        client.wait(SOON)
        client.disconnect()
        assert not any(thread.is_alive() for thread in recorder.threads)


def test_a_log_handler_runs_with_no_lock_held(echo: Any, clients: Any) -> None:
    """It is the user's code, so another thread's calls must not wait for it."""
    free: dict[str, bool] = {}

    class Looking(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            looker = threading.Thread(target=self.look, args=(record.getMessage(),))
            looker.start()
            looker.join(SOON)

        def look(self, line: str) -> None:
            lock = client._line.lock
            free[line] = lock.acquire(blocking=False)
            if free[line]:
                lock.release()

    logger = logging.Logger("looking", logging.DEBUG)
    logger.addHandler(Looking())
    client = clients(lambda message: None, echo.url, logger=logger)
    client.connect()
    client.disconnect()
    assert len(free) > 3
    assert [line for line in free if not free[line]] == []


def closes_at_once(peer: Any) -> None:
    peer.accept_upgrade()
    peer.finish()


def test_twice_and_without_a_connection(echo: Any, clients: Any, recorder: Recorder) -> None:
    client = clients(recorder.callback, echo.url, **recorder.handlers("close"))
    client.disconnect()
    client.connect()
    client.disconnect()
    client.disconnect()
    assert closing(recorder) == ["close", "end"]


def talkative(peer: Any) -> None:
    """Something for every handler, then the closing handshake that the client begins."""
    peer.accept_upgrade()
    peer.send_frame(Opcode.PING, b"?")
    peer.send_frame(Opcode.PONG, b"!")
    peer.send_text("hello")
    peer.expect_close(1001)
    peer.send_close(1001)


@pytest.mark.parametrize("executor", [None, "callable"])
@pytest.mark.parametrize("kind", ["open", "message", "ping", "pong", "frame", "event"])
def test_from_a_handler(
    scripted: Any, clients: Any, recorder: Recorder, within: Any, kind: str, executor: str | None
) -> None:
    """It returns at once, the peer is told, and the end is told once."""
    options: dict[str, Any] = recorder.handlers("close", kind)
    if executor is not None:
        options["executor"] = lambda job: threading.Thread(target=job, daemon=True).start()

    def leave(value: Any) -> None:
        if kind != "event" or isinstance(value, OpenEvent):
            with within(AT_ONCE):
                client.disconnect()
            assert not client.is_open()

    recorder.react(kind, leave)
    client = clients(recorder.callback, scripted(talkative).url, **options)
    client.connect()
    assert client.wait(SOON).clean
    assert closing(recorder) == ["close", "end"]
    # on_frame must answer at once, so it is not the executor that calls it.
    assert kind == "frame" or recorder.overlaps == []


@pytest.mark.parametrize("kind", ["close", "end"])
def test_from_the_last_handlers(
    echo: Any, clients: Any, recorder: Recorder, within: Any, kind: str
) -> None:
    def leave(value: Any) -> None:
        assert not client.is_open()
        with within(AT_ONCE):
            client.disconnect()

    recorder.react(kind, leave)
    client = clients(recorder.callback, echo.url, **recorder.handlers("close", "error"))
    client.connect()
    client.disconnect()
    assert closing(recorder) == ["close", "end"]
    recorder.assert_exhausted()


def test_from_an_event_of_the_dial(echo: Any, clients: Any, within: Any) -> None:
    """It comes on the thread that dials: waiting for the dial there would never end."""

    def leave(event: Any) -> None:
        if isinstance(event, RequestEvent):
            with within(AT_ONCE):
                client.disconnect()

    client = clients(echo.url, on_event=leave)
    with pytest.raises(tieline.ConnectCancelled):
        client.connect()
    assert client.state is tieline.State.CLOSED


def test_from_two_threads_at_once(echo_place: Any, recorder: Recorder, in_thread: Any) -> None:
    client = echo_place.client(recorder.callback, **recorder.handlers("close"))
    client.connect()
    start = threading.Barrier(3)

    def leave() -> None:
        start.wait()
        client.disconnect()

    first, second = in_thread(leave), in_thread(leave)
    start.wait()
    first()
    second()
    assert closing(recorder) == ["close", "end"]


def silent(peer: Any) -> None:
    peer.hold()


def silent_after_the_request(peer: Any) -> None:
    peer.read_request()
    peer.hold()


@pytest.mark.parametrize("script", [silent, silent_after_the_request])
def test_during_a_dial(
    scripted: Any, clients: Any, in_thread: Any, within: Any, script: Any, recorder: Recorder
) -> None:
    dialling = threading.Event()

    def tell(event: Any) -> None:
        if isinstance(event, RequestEvent):
            dialling.set()

    client = clients(recorder.callback, scripted(script).url, on_event=tell)
    connecting = in_thread(client.connect)
    assert dialling.wait(SOON)
    with within(AT_ONCE):
        client.disconnect()
    assert client.state is tieline.State.CLOSED
    with pytest.raises(tieline.ConnectCancelled):
        connecting()
    recorder.assert_exhausted()


def test_during_a_tls_handshake(scripted: Any, clients: Any, in_thread: Any, within: Any) -> None:
    """The server accepts TCP, and says nothing where TLS should begin."""
    accepted = threading.Event()

    def script(peer: Any) -> None:
        accepted.set()
        peer.hold()

    url = scripted(script).url.replace("ws:", "wss:")
    client = clients(print, url)
    connecting = in_thread(client.connect)
    assert accepted.wait(SOON)
    with within(AT_ONCE):
        client.disconnect()
    with pytest.raises(tieline.ConnectCancelled):
        connecting()


def test_during_a_dial_to_a_host_that_does_not_answer(
    clients: Any, in_thread: Any, within: Any, unanswering_port: int
) -> None:
    dialling = threading.Event()
    client = clients(f"ws://127.0.0.1:{unanswering_port}/", on_event=lambda event: dialling.set())
    connecting = in_thread(client.connect)
    assert dialling.wait(SOON)
    with within(AT_ONCE):
        client.disconnect()
    with pytest.raises(tieline.ConnectCancelled):
        connecting()


def test_the_peer_closes_first(scripted: Any, clients: Any, recorder: Recorder) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.send_text("last words")
        assert peer.finish(4000, "enough").code == 4000

    inside: list[bool] = []
    client = clients(recorder.callback, scripted(script).url, **recorder.handlers("close", "error"))
    recorder.react("close", lambda info: inside.append(client.is_open()))
    recorder.react("end", lambda _: inside.append(client.is_open()))
    client.connect()
    info = client.wait(SOON)
    assert (info.code, info.reason, info.clean, info.initiator) == (4000, "enough", True, "remote")
    recorder.expect("message", "last words")
    assert recorder.expect("close") is info
    recorder.expect("end")
    recorder.assert_exhausted()
    assert inside == [False, False]


def test_connect_while_connected_closes_with_1001_first(
    scripted: Any, clients: Any, recorder: Recorder
) -> None:
    def first(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_close(1001)
        peer.send_close(1001)

    def second(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_close(1000)
        peer.send_close(1000)

    client = clients(
        recorder.callback, scripted(first, second).url, **recorder.handlers("open", "close")
    )
    client.connect()
    before = client.connection_id
    client.connect()
    assert client.connection_id > before
    client.disconnect(1000)
    assert [record.kind for record in recorder.take()] == ["open", "close", "end"] * 2


@pytest.mark.parametrize("kind", ["message", "close", "end"])
def test_connect_in_a_handler(echo: Any, recorder: Recorder, kind: str, clients: Any) -> None:
    again = threading.Event()
    done = threading.Event()

    def connect(value: Any) -> None:
        if not again.is_set():
            again.set()
            client.connect()

    def opened(response: Any) -> None:
        if again.is_set():
            done.set()

    client = clients(recorder.callback, echo.url, **recorder.handlers("open", "close", "error"))
    recorder.react(kind, connect)
    recorder.react("open", opened)
    client.connect()
    if kind == "message":
        client.send("again")
    else:
        for connection in echo.connections:
            connection.close()
    assert done.wait(SOON)
    assert client.is_open()
    client.disconnect()
    kinds = [record.kind for record in recorder.take() if record.kind != "message"]
    assert kinds == ["open", "close", "end", "open", "close", "end"]
    assert recorder.overlaps == []


def test_connect_from_two_threads_at_once_leaves_one_connection(
    echo: Any, clients: Any, in_thread: Any, recorder: Recorder
) -> None:
    """Each either succeeds or is cancelled by the other, and nothing is left over."""
    client = clients(recorder.callback, echo.url, **recorder.handlers("open", "close"))
    for _ in range(20):
        start = threading.Barrier(2)

        def connect(start: threading.Barrier = start) -> str:
            start.wait()
            try:
                client.connect()
            except tieline.ConnectCancelled:
                return "cancelled"
            return "connected"

        first, second = in_thread(connect), in_thread(connect)
        assert "connected" in {first(), second()}
        assert client.is_open()
        client.disconnect()
        kinds = [record.kind for record in recorder.take()]
        assert kinds in (["open", "close", "end"], ["open", "close", "end"] * 2)
    assert recorder.overlaps == []


def test_connect_and_disconnect_from_many_threads(
    echo: Any, clients: Any, in_thread: Any, recorder: Recorder
) -> None:
    """Whatever the order, all return, and every connection has one beginning and one end."""
    client = clients(recorder.callback, echo.url, **recorder.handlers("open", "close"))

    def work(number: int) -> None:
        for _ in range(8):
            try:
                client.connect()
                client.send("a")
            except tieline.WebSocketError:
                pass
            if number % 2:
                client.disconnect()

    for result in [in_thread(work, number) for number in range(4)]:
        result()
    client.disconnect()
    kinds = [record.kind for record in recorder.take() if record.kind != "message"]
    assert kinds == ["open", "close", "end"] * (len(kinds) // 3)
    assert recorder.overlaps == []
    assert client.stats().connects == len(kinds) // 3


def test_reconnect_does_not_wait_for_the_old_peer(
    scripted: Any, clients: Any, recorder: Recorder, within: Any
) -> None:
    def first(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_close(1001)
        peer.expect_end()

    def second(peer: Any) -> None:
        request = peer.accept_upgrade()
        assert request.headers.get("x-extra") == "1"
        peer.expect_close(1001)
        peer.send_close(1001)

    server = scripted(first, second)
    client = clients(recorder.callback, server.url, **recorder.handlers("open", "close", "error"))
    client.connect(headers={"X-Extra": "1"})
    with within(AT_ONCE):
        client.reconnect()
    assert client.is_open()
    client.disconnect()
    assert [record.kind for record in recorder.take()] == ["open", "close", "end"] * 2


@pytest.mark.slow
def test_a_handler_that_does_not_return(echo: Any, recorder: Recorder, within: Any) -> None:
    """disconnect() comes back, and the peer has been told and let go."""
    inside, release = threading.Event(), threading.Event()
    closed_at_the_server = threading.Event()

    def block(message: Any) -> None:
        inside.set()
        release.wait(SOON)

    with tieline.testing.EchoServer(
        on_close=lambda connection, info: closed_at_the_server.set()
    ) as server:
        recorder.react("message", block)
        client = tieline.WebSocketClient(recorder.callback, server.url, proxy=None)
        client.connect()
        client.send("a")
        assert inside.wait(SOON)
        with within(AT_ONCE):
            client._line.leave()
        assert not client.is_open()
        assert closed_at_the_server.wait(SOON)
        release.set()
        client.wait(SOON)


def test_what_disconnect_refuses_leaves_the_connection_up(echo: Any, clients: Any) -> None:
    client = clients(lambda message: None, echo.url)
    client.connect()
    for code, reason in [(0, ""), (1005, ""), (1006, ""), (5000, ""), (1000, "ä" * 62)]:
        with pytest.raises(tieline.OptionError):
            client.disconnect(code, reason)
        assert client.is_open()
    assert client.wait_for(lambda message: True, SOON, send="still there") == "still there"
