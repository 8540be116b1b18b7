"""A server's answer to the upgrade → another dial, and not too early, or giving up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import tieline
from tests.outages import Inbound, Waits, Watch, delays, policy, settled
from tieline import HandshakeError, State
from tieline.testing import ScriptedPeer, ScriptedServer

Script = Callable[[ScriptedPeer], object]
Scripted = Callable[..., ScriptedServer]

NOON = datetime(2030, 6, 1, 12, 0, 0, tzinfo=UTC)
LOST = ("error ConnectionResetError", "close 1006", "end")


def answer(status: int, **parts: Any) -> Script:
    return lambda peer: peer.respond(status, **parts)


#: An answer, and the seconds to wait after it; the bound of the second delay is 2.
PASSING = {
    "408": (answer(408), 2.0),
    "425": (answer(425), 2.0),
    "429": (answer(429), 2.0),
    "500": (answer(500), 2.0),
    "502": (answer(502), 2.0),
    "503": (answer(503), 2.0),
    "504": (answer(504), 2.0),
    "429, in 7 s": (answer(429, retry_after=7), 7.0),
    "503, in 7 s": (answer(503, retry_after=7), 7.0),
    "503, sooner than we would": (answer(503, retry_after=1), 2.0),
    "503, much later": (answer(503, retry_after=100_000), 300.0),
    "503, at a time": (answer(503, retry_after=NOON + timedelta(seconds=30), date=NOON), 30.0),
    "503, at a time gone by": (answer(503, retry_after=NOON, date=NOON), 2.0),
    "503, in a year": (answer(503, retry_after=NOON + timedelta(days=365), date=NOON), 300.0),
    "503, soon": (answer(503, retry_after="soon"), 2.0),
    "503, in -5 s": (answer(503, retry_after=-5), 2.0),
}

#: What the server would say again.
FINAL = {
    "wrong accept": lambda peer: peer.accept_upgrade(accept="s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    "a subprotocol nobody asked for": lambda peer: peer.accept_upgrade(subprotocol="mqtt"),
    "200": answer(200),
    "301, nowhere": lambda peer: peer.redirect(None, 301),
    "301, to no WebSocket": lambda peer: peer.redirect("ftp://127.0.0.1/", 301),
    "400": answer(400),
    "401": answer(401, headers=[("WWW-Authenticate", 'Basic realm="here"')]),
    "403": answer(403, retry_after=7),
    "404": answer(404),
    "410": answer(410),
    "426": answer(426),
}


def break_when_told(peer: ScriptedPeer) -> None:
    """A connection that ends with a reset."""
    peer.accept_upgrade()
    peer.expect_text("break")
    peer.reset()


def echo_into(inbound: Inbound) -> Script:
    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        while (frame := peer.receive_frame()).opcode is not tieline.Opcode.CLOSE:
            peer.send_text(inbound(peer, frame.payload.decode()))
        peer.send_close(1000)

    return script


def break_line(watch: Watch, waits: Waits, url: str, **options: Any) -> Any:
    """Connect, lose the connection, and send a message meanwhile; its receipt."""
    talk = watch.open(url, offline="queue", **options)
    with waits.held():
        talk.send("break")
        waits.wait_for(1)
        return talk.call("send", "during", receipt=True)


@pytest.mark.parametrize(("script", "seconds"), PASSING.values(), ids=PASSING)
def test_an_answer_that_may_pass(
    watch: Watch,
    waits: Waits,
    inbound: Inbound,
    scripted: Scripted,
    script: Script,
    seconds: float,
) -> None:
    server = scripted(break_when_told, script, echo_into(inbound))
    receipt = break_line(watch, waits, server.url)
    watch.expect("open", *LOST, "reconnecting 1", "reconnecting 2", "open again")
    watch.expect_events("open", "closed 1006", "reconnecting 1", "reconnecting 2", "open")
    settled(watch.talk, receipt)
    assert watch.talk.receive() == "during"
    inbound.wait_for("during")
    assert waits.seconds == [attempt.delay for attempt in watch.attempts] == [1.0, seconds]
    assert waits.drawn == [(0.0, 1.0), (0.0, 2.0)]
    assert isinstance(watch.attempts[1].cause, HandshakeError)
    assert watch.responses[1].attempts == 2
    watch.finish()


def test_a_time_without_the_server_s_clock(
    watch: Watch, waits: Waits, inbound: Inbound, scripted: Scripted
) -> None:
    def busy(peer: ScriptedPeer) -> None:
        peer.respond(503, retry_after=datetime.now(UTC) + timedelta(seconds=200))

    server = scripted(break_when_told, busy, echo_into(inbound))
    break_line(watch, waits, server.url)
    inbound.wait_for("during")
    assert 150 < waits.seconds[1] <= 200  # a busy machine takes its time to read the answer


def test_a_limit_of_the_user_s(
    watch: Watch, waits: Waits, inbound: Inbound, scripted: Scripted
) -> None:
    server = scripted(break_when_told, answer(503, retry_after=60), echo_into(inbound))
    break_line(watch, waits, server.url, reconnect=policy(max_retry_after=5))
    inbound.wait_for("during")
    assert waits.seconds == [1.0, 5.0]


@pytest.mark.parametrize("script", FINAL.values(), ids=FINAL)
def test_an_answer_that_would_come_again(
    watch: Watch, waits: Waits, scripted: Scripted, script: Script
) -> None:
    server = scripted(break_when_told, script)
    receipt = break_line(watch, waits, server.url)
    info = watch.talk.ended()
    assert info == watch.ends[0] and info.code == 1006
    watch.expect("open", *LOST, "reconnecting 1", "error *")
    assert isinstance(watch.errors[1], tieline.ConnectError)
    watch.expect_events("open", "closed 1006", "reconnecting 1", "gave up after 1")
    watch.expect_events("dropped closed")
    with pytest.raises(tieline.ConnectionClosed):
        settled(watch.talk, receipt)
    assert waits.seconds == delays(1)
    assert watch.state is State.CLOSED
    watch.expect_nothing()


@pytest.mark.parametrize("script", FINAL.values(), ids=FINAL)
def test_a_first_answer_that_would_come_again(
    watch: Watch, waits: Waits, scripted: Scripted, script: Script
) -> None:
    with pytest.raises(tieline.ConnectError):
        watch.open(scripted(script).url, reconnect=policy(initial_connect=True))
    assert waits.seconds == []


@pytest.mark.parametrize(("script", "seconds"), PASSING.values(), ids=PASSING)
def test_a_first_answer_that_may_pass(
    watch: Watch,
    waits: Waits,
    inbound: Inbound,
    scripted: Scripted,
    script: Script,
    seconds: float,
) -> None:
    server = scripted(script, echo_into(inbound))
    watch.open(server.url, reconnect=policy(initial=2.0, initial_connect=True))
    watch.expect("reconnecting 1", "open")
    assert waits.seconds == [seconds]
    watch.expect_events("reconnecting 1", "open")
    watch.finish()


def test_a_redirect_is_followed_within_the_dial(
    watch: Watch, waits: Waits, inbound: Inbound, scripted: Scripted
) -> None:
    def moved(peer: ScriptedPeer) -> None:
        peer.redirect("/there", 301)

    server = scripted(break_when_told, moved, echo_into(inbound))
    break_line(watch, waits, server.url)
    watch.expect("open", *LOST, "reconnecting 1", "open again")
    inbound.wait_for("during")
    assert server.peers[2].request is not None
    assert (server.peers[2].request.target, watch.responses[1].attempts) == ("/there", 1)
    watch.expect_events("open", "closed 1006", "reconnecting 1", "open")
    watch.finish()


def test_redirects_without_an_end_would_come_again(
    watch: Watch, waits: Waits, scripted: Scripted
) -> None:
    def in_circles(peer: ScriptedPeer) -> None:
        peer.redirect("/again", 301)

    server = scripted(break_when_told, in_circles, in_circles, in_circles)
    break_line(watch, waits, server.url, max_redirects=2)
    watch.expect("open", *LOST, "reconnecting 1", "error TooManyRedirects")
    assert watch.talk.ended().code == 1006
