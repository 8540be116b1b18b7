"""Handlers, the end and what is told of it, on each front."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import fields
from typing import Any

import pytest

import tieline
from tests.behaviours.every_front.conftest import Open
from tests.fronts import FRONTS, PATIENCE, Talk
from tieline import FrameAction, Opcode
from tieline.testing import Recorder, ScriptedPeer
from tieline.testing.frames import frame_bytes

# --- handlers


def test_handlers(talk: Open, scripted: Any) -> None:
    """All that are not about messages, in the order of what happens."""

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.send_frame(Opcode.PING, "are you there?")
        peer.expect_frame(Opcode.PONG, "are you there?")
        peer.send_frame(Opcode.PONG, "here I am")
        peer.send_text("skip me")
        peer.send_text("take me")
        peer.finish(4000, "enough")

    def on_frame(frame: tieline.Frame) -> FrameAction:
        return FrameAction.SKIP if frame.payload == b"skip me" else FrameAction.PROCESS

    recorder = Recorder()
    handlers = recorder.handlers("open", "ping", "pong", "close", "error")
    open_talk = talk(scripted(script).url, on_frame=on_frame, **handlers)
    assert open_talk.receive() == "take me"
    info = open_talk.ended()
    open_talk.close_now()  # the last handler has returned
    assert (info.code, info.reason) == (4000, "enough")
    assert recorder.expect("open").status == 101
    recorder.expect("ping", b"are you there?")
    recorder.expect("pong", b"here I am")
    recorder.expect("close", info)
    recorder.assert_exhausted()


def test_on_frame_says_stop(talk: Open, scripted: Any) -> None:
    """`on_frame` sees no more, and so no other handler gets what it has not seen."""

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.send_raw(
            frame_bytes(Opcode.TEXT, b"stop")
            + frame_bytes(Opcode.TEXT, b"not delivered")
            + frame_bytes(Opcode.PING, b"ping")
            + frame_bytes(Opcode.PONG, b"pong")
        )
        peer.expect_close(1001)
        peer.send_close(1001)

    seen: list[bytes] = []
    others: list[bytes] = []

    def on_frame(frame: tieline.Frame) -> FrameAction:
        seen.append(frame.payload)
        return FrameAction.STOP

    url = scripted(script).url
    open_talk = talk(url, on_frame=on_frame, on_ping=others.append, on_pong=others.append)
    assert open_talk.ended().code == 1001
    assert open_talk.front.stats().queue_depth == 0
    assert seen == [b"stop"] and others == []


# --- the end


def test_what_came_before_the_end_is_received_after_it(talk: Open, scripted: Any) -> None:
    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        for number in range(3):
            peer.send_text(f"{number}")
        peer.finish(1000, "that was all")

    open_talk = talk(scripted(script).url)
    assert open_talk.receive() == "0"
    open_talk.close_now()
    assert [open_talk.receive(0.1) for _ in range(2)] == ["1", "2"]
    front = open_talk.front
    assert (front.state, front.is_open(), front.connection_id) == (tieline.State.CLOSED, False, -1)
    with pytest.raises(tieline.ConnectionClosed) as closed:
        open_talk.send("too late")
    assert closed.value.close_info is front.close_info
    open_talk.close_now()  # idempotent


def test_close_with_a_full_queue(talk: Open, front: type[Talk], scripted: Any, within: Any) -> None:
    """What nobody takes must not keep the peer's Close from being read."""
    if front.front_name == "callback":
        pytest.skip("nothing waits: each message goes to the callback")

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        for _ in range(100):
            peer.send_binary(bytes(200_000))
        peer.expect_close()
        peer.send_close()

    open_talk = talk(scripted(script).url, max_queue=2)
    pause, deadline = threading.Event(), time.monotonic() + PATIENCE
    while open_talk.front.stats().queue_depth < 2 and time.monotonic() < deadline:
        pause.wait(0.01)
    with within(8.0):  # `close_timeout` is 10
        open_talk.close_now()
    assert open_talk.front.close_info.clean
    assert open_talk.front.stats().dropped >= 95
    assert len(open_talk.receive()) == 200_000


# --- what is told


def test_the_same_conversation_is_told_in_the_same_words(scripted: Any) -> None:
    """Events, `info`, addresses, counters and the end, compared front by front."""

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade(subprotocol="chat")
        peer.expect_frame(Opcode.BINARY, b"bytes")
        peer.send_frame(Opcode.PING, "x")
        peer.send_text("text")
        peer.expect_frame(Opcode.PONG, "x")
        peer.expect_frame(Opcode.PONG, "y")
        peer.finish(1001, "restart")

    told = []
    for front in FRONTS:
        events: list[Any] = []
        info: dict[str, Any] = {}
        url = scripted(script).url
        one = front(url, subprotocols=["chat"], on_event=events.append, info=info)
        given = one.front.connection_info()
        one.send(b"bytes")
        assert one.receive() == "text"
        one.call("pong", b"y")
        end = one.ended()
        one.close()
        stats = one.front.stats()
        told.append(
            {
                "events": [type(event).__name__ for event in events],
                "ids": len({event.connection_id for event in events}),
                "info": sorted(info),
                "given": sorted(given),
                "end": (str(end), end.sent, end.received, end.clean, end.initiator),
                "subprotocol": one.front.subprotocol,
                "counted": {
                    name: getattr(stats, name)
                    for name in sorted(f.name for f in fields(stats))
                    if name not in ("send_seconds", "receive_seconds", "latency")
                },
            }
        )
    assert told[1] == told[0]
    assert told[2] == told[0]
    assert told[0]["counted"]["pongs_sent"] == 2 and told[0]["ids"] == 1


def test_info_is_filled_when_connecting_fails(talk: Open, scripted: Any) -> None:
    server = scripted(lambda peer: peer.respond(503, "Busy", body="later"))
    info: dict[str, Any] = {}
    with pytest.raises(tieline.HandshakeError) as refused:
        talk(server.url, info=info)
    assert (info["response-code"], refused.value.response.body) == (503, b"later")
    assert "total" in info["timings"]


@pytest.mark.parametrize("timeout", [0, 0.001])
def test_asking_again_and_again(talk: Open, echoing: Any, timeout: float) -> None:
    """A `TimeoutError` loses nothing, not even when there is no time at all."""
    open_talk = talk(echoing().url)
    open_talk.send("x")
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            assert open_talk.receive(timeout) == "x"
            break
        except (TimeoutError, queue.Empty):
            pass
    else:
        pytest.fail("it never came")


@pytest.mark.parametrize("wrong", [(999, ""), (1005, ""), (1000, "x" * 124)])
def test_a_close_that_may_not_be_sent(talk: Open, echoing: Any, wrong: tuple[int, str]) -> None:
    open_talk = talk(echoing().url)
    with pytest.raises(tieline.OptionError):
        open_talk.call("disconnect" if open_talk.front_name == "callback" else "close", *wrong)
    assert open_talk.front.is_open()


@pytest.mark.parametrize("wrong", [None, 5, {"a": 1}, [1], "\ud800", ["one", b"two"]], ids=repr)
def test_what_cannot_be_sent(echoing: Any, wrong: object) -> None:
    """The same error with the same text on each front."""
    url = echoing().url
    told = set()
    for front in FRONTS:
        open_talk = front(url)
        with pytest.raises((TypeError, ValueError)) as refused:
            open_talk.send(wrong)
        told.add((type(refused.value), str(refused.value), open_talk.front.is_open()))
        open_talk.close()
    assert len(told) == 1
