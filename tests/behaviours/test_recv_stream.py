"""A plain connection's streams beside `recv()`: order, other threads, timeouts, and the rest."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest

import tieline
from tests.builds import reaches_inside
from tieline import Opcode
from tieline.testing import ScriptedPeer
from tieline.testing.frames import frame_bytes

SOON = 20.0
MIB = 1024 * 1024

Plain = Callable[..., tieline.Connection]

pytestmark = pytest.mark.usefixtures("without_slices")


def begin(peer: ScriptedPeer, text: str = "begun ") -> None:
    peer.send_raw(frame_bytes(Opcode.TEXT, text, fin=False))


def end(peer: ScriptedPeer, text: str = "done") -> None:
    peer.send_raw(frame_bytes(Opcode.CONTINUATION, text))


def on_demand(peer: ScriptedPeer) -> None:
    """A message in two parts, the second one when it is asked for; then one as a whole."""
    peer.accept_upgrade()
    begin(peer)
    peer.expect_text("rest")
    end(peer)
    peer.send_text("next")
    peer.expect_close()


def test_a_timeout_loses_nothing(scripted: Any, plain: Plain) -> None:
    ws = plain(scripted(on_demand).url)
    stream = ws.recv_stream(0.01)
    assert first_of(stream) == "begun "
    for _ in range(2):
        with pytest.raises(TimeoutError, match=r"no more of the message within 0\.01 s"):
            next(stream)
    with pytest.raises(TimeoutError):
        stream.read()
    ws.send("rest")
    while True:
        try:
            assert next(stream) == "done"
            break
        except TimeoutError:
            pass
    assert list(stream) == [] and ws.recv(SOON) == "next"
    with pytest.raises(TimeoutError, match=r"no message within 0\.01 s"):
        next(ws.recv_stream(0.01))
    with pytest.raises(tieline.OptionError, match="timeout"):
        ws.recv_stream(-1)


def first_of(stream: tieline.MessageStream) -> str | bytes:
    while True:
        try:
            return next(stream)
        except TimeoutError:
            pass


def test_recv_joins_and_a_timeout_loses_nothing(scripted: Any, plain: Plain) -> None:
    ws = plain(scripted(on_demand).url)
    ws.recv_stream()  # from here on messages come in chunks
    for _ in range(3):
        with pytest.raises(TimeoutError):
            ws.recv(0.02)
    ws.send("rest")
    assert ws.recv(SOON) == "begun done"
    assert next(iter(ws)) == "next"


def test_what_recv_gave_up_waiting_for_can_be_streamed(scripted: Any, plain: Plain) -> None:
    ws = plain(scripted(on_demand).url)
    stream = ws.recv_stream(SOON)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            ws.recv(0.02)
    assert next(stream) == "begun "
    ws.send("rest")
    assert list(stream) == ["done"]


def test_a_thread_that_is_not_done_with_its_stream(scripted: Any, plain: Plain) -> None:
    ws = plain(scripted(on_demand).url)
    stream = ws.recv_stream(SOON)
    assert next(stream) == "begun "
    for ask in (ws.recv, lambda: next(iter(ws)), lambda: next(ws.recv_stream())):
        with pytest.raises(RuntimeError, match=r"read it to its end or close\(\) it first"):
            ask()
    ws.send("rest")
    assert stream.read() == "done"
    assert ws.recv(SOON) == "next"


@pytest.mark.parametrize("how", ["close", "with", "drop"])
def test_what_nobody_wants_is_thrown_away(scripted: Any, plain: Plain, how: str) -> None:
    """However much it is; the messages behind it come."""

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        begin(peer)
        for _ in range(8):
            peer.send_raw(frame_bytes(Opcode.CONTINUATION, "x" * MIB, fin=False))
        end(peer)
        peer.send_text("next")
        peer.expect_close()

    ws = plain(scripted(script).url)
    stream = ws.recv_stream(SOON)
    next(stream)
    if how == "close":
        stream.close()
    elif how == "with":
        with stream:
            pass
    else:
        del stream
        gc.collect()
    assert ws.recv(SOON) == "next"


def test_others_receive_what_is_behind(scripted: Any, plain: Plain, in_thread: Any) -> None:
    """They wait for it, and one of them may be the one who reads the socket for all."""
    ws = plain(scripted(on_demand).url)
    stream = ws.recv_stream(SOON)
    assert next(stream) == "begun "
    others = [in_thread(ws.recv, SOON), in_thread(lambda: list(ws.recv_stream(SOON)))]
    threading.Timer(0.05, ws.send, ["rest"]).start()
    assert list(stream) == ["done"]
    ws.close()
    outcomes = []
    for other in others:
        try:
            outcomes.append(other())
        except tieline.ConnectionClosed:
            outcomes.append("closed")
    assert sorted(map(str, outcomes)) in (["['next']", "closed"], ["closed", "next"])


@reaches_inside
def test_a_full_stream_of_another_thread_is_waited_for(
    scripted: Any, plain: Plain, in_thread: Any
) -> None:
    """Without spinning: the other thread makes room when it likes."""

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        begin(peer)
        for _ in range(8):
            peer.send_raw(frame_bytes(Opcode.CONTINUATION, "x" * MIB, fin=False))
        end(peer)
        peer.send_text("next")
        peer.expect_close()

    ws = plain(scripted(script).url)
    stream = ws.recv_stream(SOON)
    size = len(next(stream))
    other = in_thread(ws.recv, SOON)
    inbox, driver = ws._line.delivery, ws._line.session.driver
    moment = threading.Event()
    while not (inbox.is_full and inbox.waiters):
        moment.wait(0.001)
    tries = 0
    enter = driver.enter

    def counted() -> bool:
        nonlocal tries
        tries += 1
        return enter()

    driver.enter = counted
    moment.wait(0.1)
    assert tries <= 1
    assert size + sum(map(len, stream)) == 8 * MIB + len("begun done")
    assert other() == "next"


def test_a_stream_may_change_hands(scripted: Any, plain: Plain, in_thread: Any) -> None:
    ws = plain(scripted(on_demand).url)
    stream = ws.recv_stream(SOON)
    assert next(stream) == "begun "
    rest = in_thread(lambda: list(stream))
    ws.send("rest")
    assert rest() == ["done"]
    assert ws.recv(SOON) == "next"


def test_in_a_handler(scripted: Any, plain: Plain) -> None:
    outcome: list[str] = []

    def on_ping(data: bytes) -> None:
        try:
            next(ws.recv_stream())
        except RuntimeError as error:
            outcome.append(str(error))

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.expect_text("go on")
        peer.send_frame(Opcode.PING)
        peer.send_text("next")
        peer.expect_close()

    ws = plain(scripted(script).url, on_ping=on_ping)
    ws.send("go on")
    assert ws.recv(SOON) == "next"
    assert "in a handler cannot wait" in outcome[0]


def test_after_the_end(scripted: Any, plain: Plain) -> None:
    """What came before can be read; then each stream says that there is no more."""

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        begin(peer)
        end(peer)
        peer.send_text("next")
        peer.finish(1000)

    ws = plain(scripted(script).url)
    streams = [ws.recv_stream(SOON) for _ in range(3)]
    assert "".join(streams[0]) == "begun done"
    ws.close()
    assert list(streams[1]) == ["next"]
    with pytest.raises(tieline.ConnectionClosed):
        next(streams[2])
    assert list(ws) == []


def test_many_threads(scripted: Any, plain: Plain, in_thread: Any) -> None:
    """Streams and whole messages, large and small: nothing is lost, torn or doubled."""
    count, readers = 120, 4

    def body(number: int) -> bytes:
        return b"%d:" % number + bytes([number]) * (number * 7919 % 400_000)

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        for number in range(count):
            message = body(number)
            if number % 3 == 0:
                peer.send_binary(message)
                continue
            cut = len(message) // 2
            peer.send_raw(frame_bytes(Opcode.BINARY, message[:cut], fin=False))
            peer.send_raw(frame_bytes(Opcode.CONTINUATION, message[cut:]))
        peer.finish(1000)

    ws = plain(scripted(script).url, max_queue=3)
    ws.recv_stream()
    got: list[int] = []

    def read(streams: bool) -> None:
        while True:
            try:
                chunks = ws.recv_stream(SOON) if streams else [ws.recv(SOON)]
                message = b"".join(chunks)
            except tieline.ConnectionClosed:
                return
            number = int(message.split(b":", 1)[0])
            assert message == body(number)
            got.append(number)

    for done in [in_thread(read, number % 2 == 0) for number in range(readers)]:
        done()
    assert sorted(got) == list(range(count))
