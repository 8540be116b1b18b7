"""Every code with which a server can close → another dial, or the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import tieline
from tests.behaviours.fault_matrix.test_answers import Scripted, echo_into
from tests.outages import Inbound, Waits, Watch, delays, policy, settled
from tieline import Opcode, State
from tieline.testing import ScriptedPeer

#: What may be over the next time.
PASSING = [1001, None, 1011, 1012, 1013, 1014]

#: What the server means, or would say again. What 3000 and above mean, only the user knows.
FINAL = [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 3999, 4000, 4401, 4999]

#: Codes that nobody may send, and Close frames that are none (RFC 6455 sections 5.5.1, 7.4).
BROKEN = {
    "0": b"\x00\x00",
    "999": b"\x03\xe7",
    "1004": b"\x03\xec",
    "1005": b"\x03\xed",
    "1006": b"\x03\xee",
    "1015": b"\x03\xf7",
    "1016": b"\x03\xf8",
    "2999": b"\x0b\xb7",
    "5000": b"\x13\x88",
    "65535": b"\xff\xff",
    "one byte": b"\x03",
    "a reason that is no text": b"\x03\xe9\xff",
}


def close_with(code: int | None) -> Callable[[ScriptedPeer], object]:
    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.expect_text("before")
        peer.send_close(code, "" if code is None else "the reason")
        peer.expect_close(code)

    return script


@pytest.mark.parametrize("code", PASSING)
def test_codes_that_may_pass(
    watch: Watch, waits: Waits, inbound: Inbound, scripted: Scripted, code: int | None
) -> None:
    server = scripted(close_with(code), echo_into(inbound))
    talk = watch.open(server.url, offline="queue")
    with waits.held():
        talk.send("before")
        waits.wait_for(1)
        assert watch.state is State.RECONNECTING
        receipt = talk.call("send", "during", receipt=True)
    seen = 1005 if code is None else code
    watch.expect("open", f"close {seen}", "end", "reconnecting 1", "open again")
    watch.expect_events("open", f"closed {seen}", "reconnecting 1", "open")
    settled(talk, receipt)
    assert talk.receive() == "during"
    inbound.wait_for("during")
    assert waits.seconds == delays(1)
    (info,) = watch.ends
    assert info.clean and info.initiator == "remote"
    assert watch.attempts[0].cause is info
    watch.finish()


@pytest.mark.parametrize("code", FINAL)
def test_codes_that_are_the_end(watch: Watch, waits: Waits, scripted: Scripted, code: int) -> None:
    talk = watch.open(scripted(close_with(code)).url, offline="queue")
    talk.send("before")
    info = talk.ended()
    assert (info.code, info.reason, info.clean) == (code, "the reason", True)
    watch.expect("open", f"close {code}", "end")
    watch.expect_events("open", f"closed {code}", "gave up after 0")
    assert watch.state is State.CLOSED
    with pytest.raises(tieline.ConnectionClosed):
        talk.send("after")
    assert waits.seconds == []
    watch.expect_nothing()


@pytest.mark.parametrize("payload", BROKEN.values(), ids=BROKEN)
def test_close_frames_that_break_a_rule(
    watch: Watch, waits: Waits, scripted: Scripted, payload: bytes
) -> None:
    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.send_frame(Opcode.CLOSE, payload)
        assert peer.expect_close().code in (1002, 1007)

    talk = watch.open(scripted(script).url)
    info = talk.ended()
    watch.expect("open", "error ProtocolError", f"close {int(info.code)}", "end")
    watch.expect_events("open", f"closed {int(info.code)}", "gave up after 0")
    assert isinstance(info.error, tieline.ProtocolError)
    assert watch.state is State.CLOSED and waits.seconds == []
    watch.expect_nothing()


@pytest.mark.parametrize("code", [1000, 1008, 4000])
def test_the_user_knows_better(
    watch: Watch, waits: Waits, inbound: Inbound, scripted: Scripted, code: int
) -> None:
    causes: list[Any] = []

    def retry(cause: Any) -> bool:
        causes.append(cause)
        return True

    server = scripted(close_with(code), echo_into(inbound))
    talk = watch.open(server.url, reconnect=policy(retry=retry))
    talk.send("before")
    watch.expect("open", f"close {code}", "end", "reconnecting 1", "open again")
    assert causes == watch.ends
    watch.expect_events("open", f"closed {code}", "reconnecting 1", "open")
    watch.finish()


def test_the_user_knows_that_it_is_over(watch: Watch, waits: Waits, scripted: Scripted) -> None:
    talk = watch.open(scripted(close_with(1012)).url, reconnect=policy(retry=lambda cause: False))
    talk.send("before")
    assert talk.ended().code == 1012
    watch.expect("open", "close 1012", "end")
    watch.expect_events("open", "closed 1012", "gave up after 0")
    watch.expect_nothing()


def test_without_reconnect_every_end_is_the_end(
    watch: Watch, waits: Waits, scripted: Scripted
) -> None:
    talk = watch.open(scripted(close_with(1012)).url, reconnect=False)
    talk.send("before")
    assert talk.ended().code == 1012
    watch.expect("open", "close 1012", "end")
    watch.expect_events("open", "closed 1012")
    assert waits.seconds == []
    watch.expect_nothing()
