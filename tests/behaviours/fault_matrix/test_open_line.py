"""A line that breaks, stalls or goes silent while it is up → up again, and each message's fate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

import tieline
from tests.fronts import PATIENCE
from tests.outages import Inbound, Waits, Watch, delays, settled
from tieline import Opcode, State
from tieline.engine import dial
from tieline.testing import EchoServer, FaultProxy, ScriptedPeer, faults, frame_bytes
from tieline.testing.faults import Fault

Proxied = Callable[..., FaultProxy]

#: What strikes an open line, and what is told of it. In the first group the echo of a message is
#: under way when it strikes, or its second half is; in the others nothing is.
IN_AN_ANSWER = {
    "reset before it": (faults.reset(), "error ConnectionResetError"),
    "reset in a frame": (faults.reset(3), "error ConnectionResetError"),
    "cut in a frame": (faults.cut(3), "error EOFError"),
    "half-closed in a frame": (faults.half_close(3), "error EOFError"),
}
IN_A_MESSAGE = {
    "reset in a frame": (faults.reset(3, direction="to_server"), "error Connection*"),
    "reset behind it": (faults.reset(14, direction="to_server"), "error Connection*"),
    "cut in a frame": (faults.cut(3, direction="to_server"), "error EOFError"),
    "half-closed in a frame": (faults.half_close(3, direction="to_server"), "error EOFError"),
    "garbage in a frame": (faults.garbage(b"\xff" * 20, direction="to_server"), None),
}


def open_line(watch: Watch, line: FaultProxy, **options: Any) -> Any:
    """Connected, and a message went both ways."""
    talk = watch.open(line.url, **({"offline": "queue", "compression": None} | options))
    talk.send("before")
    assert talk.receive() == "before"
    return talk


def is_up_again(watch: Watch, inbound: Inbound, *received: str) -> None:
    """It is open, and new messages go both ways; the server has received these before."""
    watch.talk.send("after")
    assert watch.talk.receive() == "after"
    inbound.wait_for(*received, "after")
    assert watch.state is State.OPEN
    assert (watch.responses[-1].reconnected, watch.responses[-1].attempts) == (True, 1)
    watch.expect_events("open", "closed 1006", "reconnecting 1", "open")
    watch.finish()


@pytest.mark.parametrize(("fault", "told"), IN_AN_ANSWER.values(), ids=IN_AN_ANSWER)
def test_it_breaks_in_an_answer(
    watch: Watch,
    waits: Waits,
    server: EchoServer,
    inbound: Inbound,
    proxied: Proxied,
    fault: Fault,
    told: str,
) -> None:
    """The message has arrived, its echo is lost with the line: it is not sent again."""
    proxy = proxied(server)
    talk = open_line(watch, proxy)
    with waits.held():
        if fault.strikes_at_once:
            talk.send("arrives")
            inbound.wait_for("before", "arrives")
        proxy.strike(fault)
        if not fault.strikes_at_once:
            talk.send("arrives")
        waits.wait_for(1)
        during = talk.call("send", "during", receipt=True)
    watch.expect("open", told, "close 1006", "end", "reconnecting 1", "open again")
    settled(talk, during)
    inbound.wait_for("before", "arrives", "during")
    while talk.receive() != "during":
        pass  # the echo of "arrives" may have been quicker than the reset
    assert waits.seconds == delays(1)
    is_up_again(watch, inbound, "before", "arrives", "during")


@pytest.mark.parametrize(("fault", "told"), IN_A_MESSAGE.values(), ids=IN_A_MESSAGE)
def test_it_breaks_in_a_message(
    watch: Watch,
    waits: Waits,
    server: EchoServer,
    inbound: Inbound,
    proxied: Proxied,
    fault: Fault,
    told: str | None,
) -> None:
    """The kernel had taken it, so nobody knows whether it arrived: it is not sent again."""
    proxy = proxied(server)
    talk = open_line(watch, proxy)
    proxy.strike(fault)
    with waits.held():
        settled(talk, talk.call("send", "on the way", receipt=True))
        if told is None:  # the server closes with 1002
            assert talk.ended().code == 1002
            inbound.wait_for("before")
            return
        waits.wait_for(1)
        talk.send("during")
    watch.expect("open", told, "close 1006", "end", "reconnecting 1", "open again")
    inbound.wait_for("before", "during")
    assert talk.receive() == "during"
    is_up_again(watch, inbound, "before", "during")


@pytest.mark.parametrize(
    ("fault", "told"),
    [(faults.cut, "error EOFError"), (faults.reset, "error ConnectionResetError")],
    ids=["cut", "reset"],
)
def test_it_breaks_between_fragments(
    watch: Watch,
    waits: Waits,
    inbound: Inbound,
    server: EchoServer,
    scripted: Any,
    proxied: Proxied,
    fault: Any,
    told: str,
) -> None:
    """What came of the message is not delivered, and the next connection begins with a new one."""

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.send_frame(Opcode.TEXT, "first half", fin=False)
        try:
            peer.expect_end()
        except OSError:
            pass

    proxy = proxied(scripted(script), fault(past=frame_bytes(Opcode.TEXT, "first half", fin=False)))
    waits.before[1] = lambda: proxy.lead_to(server.url)
    talk = watch.open(proxy.url)
    watch.expect("open", told, "close 1006", "end", "reconnecting 1", "open again")
    talk.send("whole")
    assert talk.receive() == "whole"
    is_up_again(watch, inbound, "whole")


def test_garbage_is_not_tried_again(
    watch: Watch, waits: Waits, server: EchoServer, inbound: Inbound, proxied: Proxied
) -> None:
    """A server that breaks a rule would break it again."""
    proxy = proxied(server)
    talk = open_line(watch, proxy)
    proxy.strike(faults.garbage())
    talk.send("arrives")
    info = talk.ended()
    assert info.sent is not None and info.sent.code == 1002
    watch.expect("open", "error ProtocolError", f"close {int(info.code)}", "end")
    watch.expect_events("open", f"closed {int(info.code)}", "gave up after 0")
    assert watch.state is State.CLOSED and waits.seconds == []
    inbound.wait_for("before", "arrives")
    watch.expect_nothing()


def test_a_slow_line_is_no_broken_one(
    watch: Watch, waits: Waits, server: EchoServer, inbound: Inbound, proxied: Proxied
) -> None:
    talk = open_line(watch, proxied(server, faults.drip(5, 0.0002)))
    talk.send("slowly" * 20)
    assert talk.receive() == "slowly" * 20
    inbound.wait_for("before", "slowly" * 20)
    watch.expect("open")
    watch.expect_events("open")
    assert waits.seconds == []
    watch.finish()


# --- silence: only the client's own pings can tell


SILENCE = {
    "black hole": faults.black_hole(past=faults.HEAD_END),
    "black hole of answers": faults.black_hole(past=faults.HEAD_END, direction="to_client"),
    "black hole of messages": faults.black_hole(past=faults.HEAD_END, direction="to_server"),
    "stalled": faults.stall(past=faults.HEAD_END),
}


@pytest.fixture
def pinged_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Options: the first connection is pinged often, and the others not at all.

    So that a machine that is busy for longer than `ping_timeout` does not kill these as well.
    """
    connect, intervals = dial.connect, []

    def connected(target: Any, settings: Any, *others: Any) -> Any:
        if intervals:
            settings = replace(settings, ping_interval=None)
        intervals.append(settings.ping_interval)
        return connect(target, settings, *others)

    monkeypatch.setattr(dial, "connect", connected)
    yield {"ping_interval": 0.05, "ping_timeout": 0.05, "close_timeout": 0.05}
    assert len(intervals) > 1 and intervals == [0.05] + [None] * (len(intervals) - 1)


@pytest.mark.parametrize("fault", SILENCE.values(), ids=SILENCE)
def test_silence(
    watch: Watch,
    waits: Waits,
    server: EchoServer,
    inbound: Inbound,
    proxied: Proxied,
    pinged_once: dict[str, Any],
    fault: Fault,
) -> None:
    """What was sent into it may have arrived, and is not sent again."""
    proxy = proxied(server, fault)
    talk = watch.open(proxy.url, offline="queue", **pinged_once)
    with waits.held():
        waits.wait_for(1)
        talk.send("during")
    watch.expect("open", "error TimeoutError", "close 1006", "end", "reconnecting 1", "open again")
    assert talk.receive() == "during"
    inbound.wait_for("during")
    (info,) = watch.ends
    assert "ping_timeout" in str(info.error)
    is_up_again(watch, inbound, "during")


# --- messages that the kernel has not taken

#: More than the kernels of both sides hold.
BIG = "x" * 20_000_000


@pytest.mark.parametrize("offline", ["queue", "raise"])
def test_messages_that_are_still_here(
    watch: Watch, waits: Waits, server: EchoServer, inbound: Inbound, proxied: Proxied, offline: str
) -> None:
    """They did not arrive, certainly: with "queue" they are sent again, otherwise this is told."""
    proxy = proxied(server)
    talk = open_line(
        watch,
        proxy,
        offline=offline,
        offline_limit=2 * len(BIG),
        write_limit=2 * len(BIG),
    )
    proxy.strike(faults.stall(direction="to_server"))
    receipts = [talk.call("send", message, receipt=True) for message in (BIG, "small", "smaller")]
    assert not any(receipt.done for receipt in receipts)
    proxy.strike(faults.reset())
    if offline == "queue":
        for receipt in receipts:
            settled(talk, receipt)
        inbound.wait_for("before", BIG, "small", "smaller")
        assert [talk.receive() for _ in receipts] == [BIG, "small", "smaller"]
    else:
        for receipt in receipts:
            with pytest.raises(tieline.ConnectionClosed):
                settled(talk, receipt)
    # A write that fails takes the reset from the read, which then finds the end.
    watch.expect("open", "error *", "close 1006", "end", "reconnecting 1", "open again")
    is_up_again(watch, inbound, *inbound.messages)
    assert inbound.messages[1:-1] == ([BIG, "small", "smaller"] if offline == "queue" else [])


def test_a_line_that_stalls_and_goes_on_loses_nothing(
    watch: Watch, waits: Waits, server: EchoServer, inbound: Inbound, proxied: Proxied
) -> None:
    proxy = proxied(server)
    talk = open_line(watch, proxy)
    proxy.strike(faults.HANG)
    talk.send("waits")
    proxy.strike(faults.PASS)
    assert talk.receive(PATIENCE) == "waits"
    inbound.wait_for("before", "waits")
    watch.expect("open")
    watch.expect_events("open")
    watch.finish()
