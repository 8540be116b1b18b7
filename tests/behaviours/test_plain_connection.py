"""The plain connection: messages are asked for, and the line is looked after all the time."""

from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

import tieline
from tieline.protocol.wire import Opcode
from tieline.testing import Recorder
from tieline.testing.frames import frame_bytes

SOON = 20.0

#: Seconds within which something happens that is said to happen at once, on a busy machine; what
#: it must not wait for lasts for longer.
AT_ONCE = 8.0

pytestmark = pytest.mark.usefixtures("without_slices")

Plain = Callable[..., tieline.Connection]


def accepting(*messages: str) -> Callable[[Any], None]:
    """A script that sends these, and keeps the connection open, silent."""

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        for message in messages:
            peer.send_text(message)
        peer.hold()

    return script


# --- receiving ------------------------------------------------------------------------------------


def test_there_and_back(echo_place: Any, plain: Plain) -> None:
    ws = plain(echo_place)
    big = bytes(range(256)) * 12_000
    for message in ("hello", b"\0\1", "", b"", "ü" * 1000, big):
        ws.send(message)
        assert ws.recv() == message
    ws.send_json({"a": [1, None]})
    assert ws.recv_json() == {"a": [1, None]}
    for message in ("1", "2"):
        ws.send(message)
    assert [message for _, message in zip(range(2), ws, strict=False)] == ["1", "2"]
    assert ws.ping(b"?").wait(SOON) >= 0


@pytest.mark.parametrize("timeout", [0, 0.0, 0.001, 0.03])
def test_a_timeout_loses_nothing(echo_place: Any, plain: Plain, timeout: float) -> None:
    ws = plain(echo_place)
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=f"no message within {timeout:g} s"):
        ws.recv(timeout)
    assert timeout <= time.monotonic() - started < timeout + AT_ONCE
    ws.send("a")
    assert received(ws, timeout) == "a"


def received(ws: tieline.Connection, timeout: float) -> Any:
    """The next message, asked for again and again."""
    deadline = time.monotonic() + SOON
    while time.monotonic() < deadline:
        try:
            return ws.recv(timeout)
        except TimeoutError:
            pass
    raise AssertionError("it never came")


def test_the_end_is_no_timeout(plain: Plain, scripted: Any) -> None:
    ws = plain(scripted(lambda peer: (peer.accept_upgrade(), peer.finish(4000, "why"))).url)
    with pytest.raises(tieline.ConnectionClosed) as caught:
        ws.recv(SOON)
    assert caught.value.close_info == ws.close_info
    with pytest.raises(tieline.ConnectionClosed):
        ws.recv(0)
    with pytest.raises(tieline.ConnectionClosed):
        ws.send("a")


def test_the_error_behind_the_end_is_its_cause(plain: Plain, scripted: Any) -> None:
    ws = plain(scripted(lambda peer: (peer.accept_upgrade(), peer.reset())).url)
    with pytest.raises(tieline.ConnectionClosed) as caught:
        ws.recv(SOON)
    assert isinstance(caught.value.__cause__, ConnectionResetError)
    assert caught.value.close_info is not None and caught.value.close_info.code == 1006


# --- nobody is inside -----------------------------------------------------------------------------


@pytest.mark.parametrize("first", [False, True], ids=["from the start", "after a recv"])
def test_pings_are_answered_while_nobody_receives(plain: Plain, scripted: Any, first: bool) -> None:
    answered: list[float] = []

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.send_text("a")
        if first:
            peer.expect_text("b")
        for number in (b"1", b"2"):
            started = time.monotonic()
            peer.send_frame(Opcode.PING, number)
            peer.expect_frame(Opcode.PONG, number)
            answered.append(time.monotonic() - started)

    server = scripted(script)
    ws = plain(server.url)
    if first:
        assert ws.recv() == "a"
        ws.send("b")
    server.wait()
    assert answered[0] < 0.5 + AT_ONCE and answered[1] < AT_ONCE


def test_a_silent_peer_is_noticed(plain: Plain, scripted: Any, recorder: Recorder) -> None:
    options = {"ping_interval": 0.05, "ping_timeout": 0.05}
    ws = plain(scripted(accepting()).url, **recorder.handlers("close"), **options)
    recorder.wait_for("close")
    assert ws.state is tieline.State.CLOSED and not ws.is_open()
    assert ws.close_info is not None and isinstance(ws.close_info.error, TimeoutError)
    with pytest.raises(tieline.ConnectionClosed, match="keepalive|Ping"):
        ws.recv()


def test_a_silent_peer_is_noticed_by_a_thread_that_receives(plain: Plain, scripted: Any) -> None:
    ws = plain(scripted(accepting()).url, ping_interval=0.05, ping_timeout=0.05)
    with pytest.raises(tieline.ConnectionClosed) as caught:
        ws.recv(SOON)
    assert isinstance(caught.value.__cause__, TimeoutError)


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4000, None])
def test_the_end_is_noticed_and_what_came_before_it_is_kept(
    plain: Plain, scripted: Any, recorder: Recorder, code: int | None
) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        for number in range(3):
            peer.send_text(str(number))
        if code is not None:
            peer.send_close(code)
            peer.expect_close()

    ws = plain(scripted(script).url, **recorder.handlers("close"))
    recorder.wait_for("close")
    assert ws.state is tieline.State.CLOSED and ws.close_info is not None
    assert ws.close_info.code == (code or 1006)
    assert ws.stats().queue_depth == 3
    assert ws.recv() == "0"
    if code in (1000, 1001):
        assert list(ws) == ["1", "2"]
        assert list(ws) == []
    else:
        messages = []
        with pytest.raises(tieline.ConnectionClosed):
            for message in ws:
                messages.append(message)
        assert messages == ["1", "2"]


@pytest.mark.slow
def test_a_flood_is_bounded_and_goes_on_when_half_is_taken(plain: Plain, scripted: Any) -> None:
    stopped = threading.Event()
    frame = frame_bytes(Opcode.BINARY, bytes(16 * 1024))

    def flood(peer: Any) -> None:
        """As fast as the client takes it, until the client has gone."""
        peer.accept_upgrade()
        peer.socket.setblocking(False)
        rest = b""
        with suppress(OSError):
            while True:
                rest = rest or frame
                if not select.select([], [peer.socket], [], 3.0)[1]:
                    stopped.set()
                    peer.pause(0.01)
                    continue
                rest = rest[peer.socket.send(rest) :]

    ws = plain(scripted(flood).url, max_queue=100)
    assert stopped.wait(2 * SOON)
    # What one read brings beyond the hundredth: its 256 KiB.
    assert 100 <= ws.stats().queue_depth <= 100 + 16
    read_at_first = ws.stats().messages_received
    while ws.stats().queue_depth > 51:
        ws.recv(0)
    assert ws.stats().messages_received == read_at_first
    ws.recv(0)
    deadline = time.monotonic() + SOON
    while ws.stats().messages_received == read_at_first:
        assert time.monotonic() < deadline
    ws.close(timeout=0)


# --- closing --------------------------------------------------------------------------------------


def test_close(echo_place: Any, plain: Plain, within: Any, recorder: Recorder) -> None:
    ws = plain(echo_place, **recorder.handlers("close"))
    with within(AT_ONCE):
        ws.close(4001, "bye")
        ws.close()
    assert ws.close_info is not None and ws.close_info.sent == tieline.Close(4001, "bye")
    assert ws.close_info.clean and ws.state is tieline.State.CLOSED
    recorder.expect("close")
    recorder.assert_exhausted()
    with pytest.raises(tieline.ConnectionClosed):
        ws.recv()


def test_close_ends_every_wait_at_once(
    echo_place: Any, plain: Plain, in_thread: Any, within: Any
) -> None:
    ws = plain(echo_place)
    begun = threading.Barrier(7)

    def receive() -> Any:
        begun.wait(SOON)
        return ws.recv()

    def iterate() -> list[Any]:
        begun.wait(SOON)
        return list(ws)

    receiving = [in_thread(receive) for _ in range(3)]
    iterating = [in_thread(iterate) for _ in range(3)]
    begun.wait(SOON)
    with within(AT_ONCE):
        ws.close()
        for result in receiving:
            with pytest.raises(tieline.ConnectionClosed):
                result()
        for result in iterating:
            assert result() == []


@pytest.mark.parametrize("ends", ["close", "reset", "half close"])
def test_the_peers_end_reaches_every_receiver_at_once(
    plain: Plain, scripted: Any, in_thread: Any, ends: str
) -> None:
    times: list[float] = []

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_text("now")
        times.append(time.monotonic())
        if ends == "close":
            peer.send_close(4000)
            peer.expect_close()
        elif ends == "reset":
            peer.reset()

    ws = plain(scripted(script).url)
    begun = threading.Barrier(6)

    def receive() -> None:
        begun.wait(SOON)
        try:
            ws.recv()
        finally:
            times.append(time.monotonic())

    results = [in_thread(receive) for _ in range(5)]
    begun.wait(SOON)
    ws.send("now")
    for result in results:
        with pytest.raises(tieline.ConnectionClosed):
            result()
    assert len(times) == 6 and max(times) - min(times) < AT_ONCE


def test_close_with_a_full_inbox(
    plain: Plain, scripted: Any, within: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The peer's Close is behind messages that nobody takes any more."""
    sent = threading.Event()

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        for number in range(50):
            peer.send_text(str(number))
            if number == 9:
                peer.expect_text("go on")
        sent.set()
        peer.expect_close(1000)
        for _ in range(10):
            peer.send_text("late")
        peer.send_close(1000)

    ws = plain(scripted(script).url, max_queue=5)
    ws.send("go on")
    assert sent.wait(SOON)
    with within(AT_ONCE), caplog.at_level(logging.INFO, "tieline"):
        ws.close()
    assert ws.close_info is not None and ws.close_info.clean
    kept = list(ws)
    assert kept == [str(number) for number in range(len(kept))] and len(kept) >= 5
    stats = ws.stats()
    assert stats.dropped == 60 - len(kept) == stats.messages_received - len(kept)
    assert caplog.text.count("were not kept") == 1


@pytest.mark.parametrize("receiving", [False, True], ids=["nobody receives", "one receives"])
def test_close_during_a_flood(
    echo: Any, plain: Plain, in_thread: Any, within: Any, receiving: bool
) -> None:
    ws = plain(echo.url, max_queue=10)
    begun = threading.Event()

    def send() -> None:
        try:
            while True:
                ws.send("x" * 100)
                begun.set()
        except tieline.ConnectionClosed:
            pass

    results = [in_thread(send)]
    if receiving:
        results.append(in_thread(lambda: [None for _ in ws]))
    assert begun.wait(SOON)
    with within(AT_ONCE):
        ws.close()
    for result in results:
        result()
    assert ws.close_info is not None and ws.close_info.sent.code == 1000


@pytest.mark.parametrize("receiving", [False, True], ids=["nobody receives", "one receives"])
def test_close_of_a_peer_that_never_answers(
    plain: Plain, scripted: Any, in_thread: Any, within: Any, receiving: bool
) -> None:
    ws = plain(scripted(accepting()).url)
    result = in_thread(lambda: ws.recv()) if receiving else None
    with within(0.1 + AT_ONCE):
        ws.close(timeout=0.1)
    assert ws.close_info is not None and not ws.close_info.clean
    assert "within 0.1 s" in str(ws.close_info.error)
    if result is not None:
        with pytest.raises(tieline.ConnectionClosed):
            result()


def test_close_timeout_bounds_it_as_well(plain: Plain, scripted: Any, within: Any) -> None:
    ws = plain(scripted(accepting()).url, close_timeout=0.1)
    with within(0.1 + AT_ONCE):
        ws.close()
    assert ws.close_info is not None and not ws.close_info.clean


@pytest.mark.parametrize("arguments", [(1005,), (999,), (1000, "x" * 124), ("1000",)])
def test_a_close_that_may_not_be_sent(echo: Any, plain: Plain, arguments: Any) -> None:
    ws = plain(echo.url)
    with pytest.raises(tieline.OptionError):
        ws.close(*arguments)
    with pytest.raises(tieline.OptionError, match="timeout"):
        ws.close(timeout=-1)
    ws.send("a")
    assert ws.recv() == "a"


def test_the_end_of_the_block(echo: Any) -> None:
    with tieline.connect(echo.url, proxy=None) as ws:
        ws.send("a")
        assert ws.recv() == "a"
    assert ws.close_info is not None and ws.close_info.sent.code == 1000
    with (
        pytest.raises(ZeroDivisionError),
        tieline.connect(echo.url, proxy=None) as ws,
    ):
        raise ZeroDivisionError
    assert ws.close_info is not None and ws.close_info.sent.code == 1000


def test_ctrl_c_in_the_block_does_not_wait_for_long(
    plain: Plain, scripted: Any, within: Any
) -> None:
    ws = plain(scripted(accepting(*"abc")).url, max_queue=2)
    with within(0.8 + AT_ONCE), pytest.raises(KeyboardInterrupt), ws:
        raise KeyboardInterrupt
    assert ws.close_info is not None and ws.close_info.sent.code == 1001
