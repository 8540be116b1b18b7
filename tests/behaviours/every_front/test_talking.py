"""Options of time, limits and threads, at work on each front."""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

import pytest

import tieline
from tests.behaviours.every_front.conftest import Open, shows
from tests.fronts import PATIENCE, Talk
from tieline import Opcode
from tieline.testing import ScriptedPeer

#: Seconds within which something happens that is bounded by much less, on a busy machine; the
#: bound that it would have by default is 10 s or more.
AT_ONCE = 8.0

# --- time


@shows("connect_timeout")
def test_connect_timeout(talk: Open, scripted: Any, within: Any) -> None:
    server = scripted(lambda peer: peer.hold())
    with within(AT_ONCE), pytest.raises(tieline.ConnectTimeout, match=r"of 0\.05 s"):
        talk(server.url, connect_timeout=0.05)


@shows("close_timeout")
def test_close_timeout(talk: Open, scripted: Any, within: Any) -> None:
    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.hold()

    open_talk = talk(scripted(script).url, close_timeout=0.05)
    with within(AT_ONCE):
        open_talk.close_now()
    assert "close_timeout=0.05" in str(open_talk.front.close_info.error)


@shows("ping_interval", "ping_timeout")
def test_keepalive(talk: Open, scripted: Any) -> None:
    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.expect_frame(Opcode.PING)
        peer.hold()

    info = talk(scripted(script).url, ping_interval=0.03, ping_timeout=0.03).ended()
    assert info.code == 1006 and "ping_timeout=0.03" in str(info.error)


@shows("timeout", "write_limit", "low_throughput")
def test_send_timeout(talk: Open, scripted: Any, within: Any) -> None:
    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.hold()

    seen: list[Any] = []
    open_talk = talk(
        scripted(script, receive_buffer=4096).url,
        timeout=0.05,
        write_limit=1000,
        close_timeout=0.05,
        low_throughput=1_000_000_000,
        on_event=seen.append,
    )
    with within(AT_ONCE), pytest.raises(tieline.SendTimeout, match=r"timeout=0\.05"):
        for _ in range(100):
            open_talk.send(bytes(1_000_000))
    open_talk.close_now()
    assert "LowThroughputEvent" in [type(event).__name__ for event in seen]


# --- limits


@shows("max_message_size", "max_fragments")
@pytest.mark.parametrize("limit", [{"max_message_size": 9}, {"max_fragments": 2}], ids=str)
def test_limits_of_a_message(talk: Open, scripted: Any, limit: dict[str, int]) -> None:
    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.send_frame(Opcode.TEXT, "12345", fin=False)
        peer.send_frame(Opcode.CONTINUATION, "12345", fin=False)
        peer.send_frame(Opcode.CONTINUATION, "12345")
        peer.expect_close(1009)

    info = talk(scripted(script).url, **limit).ended()
    assert info.sent.code == 1009 and isinstance(info.error, tieline.MessageTooBig)


@shows("max_head_size", "max_header_count", "max_error_body")
def test_limits_of_the_handshake(talk: Open, scripted: Any) -> None:
    def script(peer: ScriptedPeer) -> None:
        peer.respond(403, "No", [(f"X-{number}", "x" * 100) for number in range(9)], "go away")

    server = scripted(script, repeat=True)
    with pytest.raises(tieline.HandshakeError) as refused:
        talk(server.url, max_error_body=2)
    assert refused.value.response.body == b"go"
    for limit, said in (("max_head_size", "5 bytes"), ("max_header_count", "5 header lines")):
        with pytest.raises(tieline.HandshakeError, match=f"at most {said}"):
            talk(server.url, **{limit: 5})


@shows("max_queue")
def test_a_full_queue_stops_the_reading(talk: Open, front: type[Talk], scripted: Any) -> None:
    """The callback front has a queue where an executor runs its handlers: here, the test."""
    size, count, limit = 200_000, 100, 2
    most = limit + 2  # what one read brings is kept beyond the limit
    jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        for number in range(count):
            peer.send_binary(number.to_bytes(2, "big") + bytes(size))
        peer.expect_close()

    executor = {"executor": jobs.put} if front.front_name == "callback" else {}
    open_talk = talk(scripted(script).url, max_queue=limit, **executor)
    taken: list[int] = []
    while len(taken) < count:
        assert open_talk.front.stats().queue_depth <= most
        try:
            message = open_talk.receive(0 if executor else PATIENCE)
        except TimeoutError:
            jobs.get(timeout=PATIENCE)()
        else:
            taken.append(int.from_bytes(message[:2], "big"))
    assert taken == list(range(count))
    assert open_talk.front.stats().dropped == 0
    if executor:
        worker = threading.Thread(target=lambda: [job() for job in iter(jobs.get, None)])
        worker.start()
        open_talk.close_now()
        jobs.put(None)
        worker.join(PATIENCE)


# --- threads


@shows("reactor")
def test_reactor(front: type[Talk], talk: Open, echoing: Any) -> None:
    if front.front_name == "asyncio":
        with pytest.raises(tieline.OptionError, match="reactor"):
            talk(echoing().url, reactor=tieline.Reactor())
        return
    reactor = tieline.Reactor("mine")
    talks = [talk(echoing().url, reactor=reactor) for _ in range(2)]
    assert [thread.name for thread in threading.enumerate()].count("mine") == 1
    for one in talks:
        one.send("shared")
        assert one.receive() == "shared"


# --- other


@shows("logger")
def test_logger(talk: Open, echoing: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "mine"):
        open_talk = talk(echoing().url, logger=logging.getLogger("mine"))
    assert any(
        f"{open_talk.front.connection_id}" in record.getMessage() for record in caplog.records
    )


@shows("json_dumps", "json_loads")
def test_json(talk: Open, echoing: Any) -> None:
    def dumps(value: object) -> str:
        return json.dumps({"sent": value})

    def loads(text: Any) -> object:
        return {"received": json.loads(text)}

    open_talk = talk(echoing().url, json_dumps=dumps, json_loads=loads)
    open_talk.call("send_json", 1)
    if open_talk.front_name == "callback":
        assert open_talk.receive() == '{"sent": 1}'
    else:
        assert open_talk.call("recv_json", PATIENCE) == {"received": {"sent": 1}}


@shows("decode_text")
def test_text_as_bytes(talk: Open, echoing: Any) -> None:
    open_talk = talk(echoing().url, decode_text=False)
    open_talk.send("grüße")
    assert open_talk.receive() == "grüße".encode()


@shows("slow_callback", "slow_send", "frame_events")
def test_events(talk: Open, echoing: Any) -> None:
    seen: list[str] = []

    def on_event(event: Any) -> None:
        seen.append(type(event).__name__)

    open_talk = talk(
        echoing().url,
        on_event=on_event,
        on_ping=print,
        on_pong=lambda data: None,
        slow_callback=1e-9,
        slow_send=1e-9,
        frame_events=True,
    )
    open_talk.send("x" * 100_000)
    open_talk.receive()
    open_talk.call("ping", b"x")
    open_talk.send("y")
    open_talk.receive()
    assert {
        "ConnectingEvent",
        "ConnectedEvent",
        "RequestEvent",
        "ResponseEvent",
        "OpenEvent",
        "FrameSentEvent",
        "FrameReceivedEvent",
        "PongEvent",
        "SlowCallbackEvent",
        "SlowSendEvent",
    } <= set(seen)
    assert seen.index("ConnectingEvent") < seen.index("ResponseEvent") < seen.index("OpenEvent")


@shows("close_on_callback_error")
def test_a_handler_that_raises(talk: Open, echoing: Any, caplog: pytest.LogCaptureFixture) -> None:
    def fail(data: bytes) -> None:
        raise ValueError("not this one")

    errors: list[Exception] = []
    options = {"on_pong": fail, "on_error": errors.append, "close_on_callback_error": True}
    open_talk = talk(echoing().url, **options)
    open_talk.call("ping")
    info = open_talk.ended()
    assert info.sent.code == 1011
    assert isinstance(errors[0], ValueError)
    assert "on_pong" in caplog.text
