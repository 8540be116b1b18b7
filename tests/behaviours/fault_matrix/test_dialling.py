"""Dials that are refused, broken or left without an answer → the next one, or giving up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import tieline
from tests.fronts import PATIENCE, CallbackTalk
from tests.outages import Inbound, Waits, Watch, delays, policy, settled, wait_until
from tieline import ConnectError, ConnectTimeout, HandshakeError, State, TLSError
from tieline.testing import EchoServer, FaultProxy, faults
from tieline.testing.faults import Fault

LOST = ("error ConnectionResetError", "close 1006", "end")

#: What a dial meets, and the error that it ends with.
FAULTS = {
    "refused": (faults.REFUSE, ConnectError),
    "reset at once": (faults.reset(), ConnectError),
    "reset in the request": (faults.reset(10, direction="to_server"), ConnectError),
    "reset in the answer": (faults.reset(20), ConnectError),
    "cut at once": (faults.cut(), HandshakeError),
    "cut in the answer": (faults.cut(20), HandshakeError),
    "half-closed in the answer": (faults.half_close(20), HandshakeError),
    "garbage": (faults.garbage(), HandshakeError),
    "garbage in the answer": (faults.garbage(b"\0\r\n\r\n", 40), HandshakeError),
    "accepted, and no more": (faults.HANG, ConnectTimeout),
    "stalled in the answer": (faults.stall(20, direction="to_client"), ConnectTimeout),
    "black hole": (faults.black_hole(), ConnectTimeout),
    "black hole in the answer": (faults.black_hole(20, direction="to_client"), ConnectTimeout),
    "drop after drop": (faults.drip(at=5), ConnectTimeout),
}

TLS_FAULTS = {
    "reset in the handshake": (faults.reset(10), TLSError),
    "cut before the handshake": (faults.cut(), TLSError),
    "cut in the handshake": (faults.cut(100), TLSError),
    "black hole in the handshake": (faults.black_hole(100), ConnectTimeout),
    "internal_error": (faults.tls_alert(80), TLSError),
}

#: One side does not accept the other, and will not next time.
TLS_REFUSALS = {
    "handshake_failure": faults.tls_alert(40),
    "no TLS at all": faults.garbage(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
}

named = pytest.mark.parametrize(("fault", "error"), FAULTS.values(), ids=FAULTS)
named_tls = pytest.mark.parametrize(("fault", "error"), TLS_FAULTS.values(), ids=TLS_FAULTS)

Proxied = Callable[..., FaultProxy]


def lose_and_come_back(
    watch: Watch, waits: Waits, inbound: Inbound, line: FaultProxy, error: Any, **options: Any
) -> None:
    """Two dials fail after the loss, the third is the good one; a message was sent meanwhile."""
    talk = watch.open(line.url, offline="queue", **options)
    talk.send("before")
    assert talk.receive() == "before"
    waits.before[3] = line.heal
    with waits.held():
        line.strike(faults.reset())
        waits.wait_for(1)
        assert watch.state is State.RECONNECTING
        receipt = talk.call("send", "during", receipt=True)
        with pytest.raises(tieline.ConnectionClosed):
            talk.call("send", "never", when_offline="raise")
        assert not receipt.done
    watch.expect("open", *LOST, "reconnecting 1", "reconnecting 2", "reconnecting 3", "open again")
    assert talk.receive() == "during"
    talk.send("after")
    assert talk.receive() == "after"
    assert receipt.done
    inbound.wait_for("before", "during", "after")
    assert watch.state is State.OPEN

    assert waits.seconds == delays(3)
    assert waits.drawn == [(0.0, delay) for delay in delays(3)]
    assert [attempt.delay for attempt in watch.attempts] == delays(3)
    assert watch.attempts[0].cause is watch.ends[0]
    for attempt in watch.attempts[1:]:
        assert isinstance(attempt.cause, error), repr(attempt.cause)
        assert attempt.url == line.url
    first, again = watch.responses
    assert (first.reconnected, first.attempts, first.downtime) == (False, 1, 0.0)
    assert (again.reconnected, again.attempts) == (True, 3)
    assert 0.0 < again.downtime < PATIENCE
    watch.expect_events(
        "open", "closed 1006", "reconnecting 1", "reconnecting 2", "reconnecting 3", "open"
    )
    watch.finish()
    assert watch.state is State.CLOSED


@named
def test_dials_fail_until_one_succeeds(
    watch: Watch,
    waits: Waits,
    server: EchoServer,
    inbound: Inbound,
    proxied: Proxied,
    fault: Fault,
    error: Any,
) -> None:
    proxy = proxied(server, faults.PASS, fault, fault)
    lose_and_come_back(watch, waits, inbound, proxy, error)


@named_tls
def test_tls_handshakes_fail_until_one_succeeds(
    watch: Watch,
    waits: Waits,
    secure_server: EchoServer,
    inbound: Inbound,
    proxied: Proxied,
    place_of: Any,
    fault: Fault,
    error: Any,
) -> None:
    proxy = proxied(secure_server, faults.PASS, fault, fault)
    lose_and_come_back(watch, waits, inbound, proxy, error, **place_of(proxy).options)


# --- the first connect


@named
def test_the_first_connect_raises(
    watch: Watch, server: EchoServer, proxied: Proxied, fault: Fault, error: Any
) -> None:
    with pytest.raises(error):
        watch.open(proxied(server, fault).url)
    watch.expect_nothing()
    assert watch.attempts == []


@named
def test_the_first_connect_keeps_trying_when_asked_to(
    watch: Watch,
    waits: Waits,
    server: EchoServer,
    inbound: Inbound,
    proxied: Proxied,
    fault: Fault,
    error: Any,
) -> None:
    proxy = proxied(server, fault, fault)
    waits.before[2] = proxy.heal
    talk = watch.open(proxy.url, reconnect=policy(initial_connect=True))
    talk.send("first")
    assert talk.receive() == "first"
    watch.expect("reconnecting 1", "reconnecting 2", "open")
    watch.expect_events("reconnecting 1", "reconnecting 2", "open")
    assert waits.seconds == [attempt.delay for attempt in watch.attempts] == delays(2)
    assert all(isinstance(attempt.cause, error) for attempt in watch.attempts)
    (response,) = watch.responses
    assert (response.reconnected, response.attempts, response.downtime) == (False, 3, 0.0)
    inbound.wait_for("first")
    watch.finish()


@pytest.mark.parametrize("fault", TLS_REFUSALS.values(), ids=TLS_REFUSALS)
def test_the_first_connect_does_not_keep_trying_in_vain(
    watch: Watch,
    waits: Waits,
    secure_server: EchoServer,
    proxied: Proxied,
    place_of: Any,
    fault: Fault,
) -> None:
    proxy = proxied(secure_server, fault)
    with pytest.raises(TLSError):
        watch.open(proxy.url, reconnect=policy(initial_connect=True), **place_of(proxy).options)
    assert len(proxy.connections) == 1 and waits.seconds == []


# --- giving up


def lose_and_give_up(
    watch: Watch, waits: Waits, inbound: Inbound, line: FaultProxy, dials: int, **options: Any
) -> BaseException:
    """After the loss so many dials fail, and that was it. Returns the last one's error."""
    talk = watch.open(line.url, offline="queue", **options)
    talk.send("before")
    assert talk.receive() == "before"
    with waits.held():
        line.strike(faults.reset())
        waits.wait_for(1)
        receipt = talk.call("send", "during", receipt=True)
    numbers = [f"reconnecting {number + 1}" for number in range(dials)]
    watch.expect("open", *LOST, *numbers, "error *")
    watch.expect_events("open", "closed 1006", *numbers, f"gave up after {dials}", "dropped closed")
    assert talk.ended() == watch.ends[0]
    assert watch.state is State.CLOSED
    assert waits.seconds == delays(dials)
    with pytest.raises(tieline.ConnectionClosed):
        settled(talk, receipt)
    with pytest.raises(tieline.ConnectionClosed):
        talk.send("after")
    assert talk.front.stats().offline_dropped == 1
    inbound.wait_for("before")
    watch.expect_nothing()
    return watch.errors[1]


@named
def test_dials_fail_until_it_is_enough(
    watch: Watch,
    waits: Waits,
    server: EchoServer,
    inbound: Inbound,
    proxied: Proxied,
    fault: Fault,
    error: Any,
) -> None:
    proxy = proxied(server, faults.PASS, fault, fault)
    last = lose_and_give_up(watch, waits, inbound, proxy, 2, reconnect=policy(max_attempts=2))
    assert isinstance(last, error)


@pytest.mark.parametrize("fault", TLS_REFUSALS.values(), ids=TLS_REFUSALS)
def test_a_refused_tls_handshake_is_enough(
    watch: Watch,
    waits: Waits,
    secure_server: EchoServer,
    inbound: Inbound,
    proxied: Proxied,
    place_of: Any,
    fault: Fault,
) -> None:
    proxy = proxied(secure_server, faults.PASS, fault)
    last = lose_and_give_up(watch, waits, inbound, proxy, 1, **place_of(proxy).options)
    assert isinstance(last, TLSError)


def test_who_receives_learns_why_it_was_given_up(
    watch: Watch, waits: Waits, server: EchoServer, proxied: Proxied
) -> None:
    proxy = proxied(server, faults.PASS, faults.REFUSE)
    talk = watch.open(proxy.url, reconnect=policy(max_attempts=1))
    proxy.strike(faults.reset())
    assert talk.ended() == watch.ends[0]
    watch.expect("open", *LOST, "reconnecting 1", "error ConnectError")
    if isinstance(talk, CallbackTalk):
        return  # its messages come by themselves, and on_error told why they do not
    with pytest.raises(tieline.ConnectionClosed) as closed:
        talk.receive()
    assert closed.value.close_info == watch.ends[0]
    assert closed.value.__cause__ is watch.errors[1]


def test_the_user_decides(watch: Watch, waits: Waits, server: EchoServer, proxied: Proxied) -> None:
    """The predicate gets each cause, and its word counts, also where the rules say otherwise."""
    causes: list[Any] = []

    def retry(cause: Any) -> bool:
        causes.append(cause)
        return len(causes) < 3

    proxy = proxied(server, faults.PASS, faults.reset(), faults.cut())
    talk = watch.open(proxy.url, reconnect=policy(retry=retry))
    proxy.strike(faults.reset())
    talk.ended()
    watch.expect("open", *LOST, "reconnecting 1", "reconnecting 2", "error HandshakeError")
    watch.expect_events(
        "open", "closed 1006", "reconnecting 1", "reconnecting 2", "gave up after 2"
    )
    assert causes == [watch.ends[0], watch.attempts[1].cause, watch.errors[1]]


# --- the user has enough


def test_closing_ends_the_wait(
    watch: Watch, waits: Waits, server: EchoServer, inbound: Inbound, proxied: Proxied
) -> None:
    proxy = proxied(server)
    talk = watch.open(proxy.url, offline="queue")
    with waits.held():
        proxy.strike(faults.reset())
        waits.wait_for(1)
        receipt = talk.call("send", "never sent", receipt=True)
        talk.close_now()
    watch.expect("open", *LOST, "reconnecting 1")
    watch.expect_events("open", "closed 1006", "reconnecting 1", "dropped closed")
    with pytest.raises(tieline.ConnectionClosed):
        settled(talk, receipt)
    assert watch.state is State.CLOSED
    watch.expect_nothing()
    assert len(proxy.connections) == 1 and inbound.messages == []


@pytest.mark.parametrize("name", ["accepted, and no more", "black hole in the answer"])
def test_closing_ends_the_dial(watch: Watch, waits: Waits, server: EchoServer, name: str) -> None:
    with FaultProxy(server.url, faults.PASS, FAULTS[name][0]) as proxy:
        talk = watch.open(proxy.url)
        proxy.strike(faults.reset())
        proxy.wait_for(lambda: len(proxy.connections) == 2, PATIENCE)
        wait_until(lambda: watch.state is State.CONNECTING)
        talk.close_now()
        watch.expect("open", *LOST, "reconnecting 1")
        assert watch.state is State.CLOSED
        watch.expect_events("open", "closed 1006", "reconnecting 1")
        watch.expect_nothing()
