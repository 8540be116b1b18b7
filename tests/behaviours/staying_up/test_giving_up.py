"""Rules and limits → when it is enough, what is raised and told then, and who waits until then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import tieline
from tests.behaviours.staying_up.losing import LOST, Proxied, lose
from tests.fronts import AsyncioTalk, CallbackTalk, Talk
from tests.outages import Waits, Watch, policy, wait_until
from tieline import ConnectError, FrameAction, HandshakeError, State
from tieline.reconnect import Backoff
from tieline.testing import EchoServer, ScriptedPeer, faults

# --- the first connection


def test_initial_connect_raises_the_last_error(
    watch: Watch, waits: Waits, server: EchoServer, proxied: Proxied
) -> None:
    proxy = proxied(server, faults.reset(), faults.cut(), faults.REFUSE)
    with pytest.raises(ConnectError, match="refused"):
        watch.open(proxy.url, reconnect=policy(initial_connect=True, max_attempts=2))
    assert waits.seconds == [1.0, 2.0]
    # Nobody is told by a handler what is raised here.
    watch.expect("reconnecting 1", "reconnecting 2")
    watch.expect_events("reconnecting 1", "reconnecting 2")
    watch.expect_nothing()
    causes = [attempt.cause for attempt in watch.attempts]
    assert [type(cause) for cause in causes] == [ConnectError, HandshakeError]
    assert [attempt.downtime for attempt in watch.attempts] == [0.0, 0.0]


def test_initial_connect_gives_up_where_it_is_no_use(
    watch: Watch, waits: Waits, server: EchoServer, scripted: Any, proxied: Proxied
) -> None:
    proxy = proxied(server, faults.reset())
    waits.before[1] = lambda: proxy.lead_to(scripted(lambda peer: peer.respond(404)).url)
    with pytest.raises(HandshakeError, match="404"):
        watch.open(proxy.url, reconnect=policy(initial_connect=True))
    assert waits.seconds == [1.0]


def test_without_initial_connect_nothing_is_tried_again(
    watch: Watch, waits: Waits, server: EchoServer, proxied: Proxied
) -> None:
    proxy = proxied(server, faults.reset())
    with pytest.raises(ConnectError):
        watch.open(proxy.url, reconnect=policy(retry=lambda cause: True))
    assert waits.seconds == []
    watch.expect_nothing()


def test_the_predicate_is_asked_at_the_start(
    watch: Watch, waits: Waits, server: EchoServer, proxied: Proxied
) -> None:
    proxy = proxied(server, faults.reset(), faults.cut(), faults.cut())
    causes: list[Any] = []

    def retry(cause: Any) -> bool:
        causes.append(cause)
        return len(causes) < 3

    with pytest.raises(HandshakeError) as raised:
        watch.open(proxy.url, reconnect=policy(initial_connect=True, retry=retry))
    assert causes[-1] is raised.value and len(causes) == 3


# --- limits


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``clock.ahead = 60.0``: as if a minute had gone by, for what counts seconds of outages."""

    class Clock:
        ahead = 0.0

    def moved(method: Callable[..., Any], place: int) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            before, now, after = arguments[:place], arguments[place], arguments[place + 1 :]
            return method(*before, now + Clock.ahead, *after, **keywords)

        return call

    for name, place in (("lost", 1), ("next", 2), ("opened", 1)):
        monkeypatch.setattr(Backoff, name, moved(getattr(Backoff, name), place))
    return Clock


def test_max_time(
    watch: Watch, waits: Waits, server: EchoServer, proxied: Proxied, clock: Any
) -> None:
    """No attempt begins later: the wait that would end behind it is not begun."""
    proxy = proxied(server, faults.PASS, *[faults.reset()] * 3)
    waits.before[2] = lambda: setattr(clock, "ahead", 57.0)
    talk = watch.open(proxy.url, reconnect=policy(max_time=60.0))
    lose(proxy, waits)
    talk.ended()
    watch.expect("open", *LOST, "reconnecting 1", "reconnecting 2", "error ConnectError")
    watch.expect_events(
        "open", "closed 1006", "reconnecting 1", "reconnecting 2", "gave up after 2"
    )
    assert "max_time=60" in str(talk.front._line.gave_up.reason)
    assert waits.seconds == [1.0, 2.0]


def test_a_stable_connection_counts_anew(
    watch: Watch, waits: Waits, server: EchoServer, proxied: Proxied, clock: Any
) -> None:
    """Attempts, their limit, and the delays; one that does not live long changes nothing."""
    proxy = proxied(server)
    watch.open(proxy.url, reconnect=policy(max_attempts=3, stable_after=30.0))
    watch.expect("open")
    for number in (1, 2):
        lose(proxy, waits)
        watch.expect(*LOST, f"reconnecting {number}", "open again")
    clock.ahead += 31.0
    for number in (1, 2, 3):
        lose(proxy, waits)
        watch.expect(*LOST, f"reconnecting {number}", "open again")
    proxy.strike(faults.reset())
    watch.expect(*LOST)
    assert waits.seconds == [1.0, 2.0, 1.0, 2.0, 4.0]
    wait_until(lambda: watch.state is State.CLOSED)
    watch.expect_events(
        "open",
        *["closed 1006", "reconnecting 1", "open", "closed 1006", "reconnecting 2", "open"] * 2,
        *["closed 1006", "reconnecting 3", "open", "closed 1006", "gave up after 3"],
    )


def test_connecting_again_counts_anew(
    front: type[Talk], watch: Watch, waits: Waits, server: EchoServer, proxied: Proxied
) -> None:
    """A user who connects by hand after it was given up has all attempts before him."""
    proxy = proxied(server)
    talk = watch.open(proxy.url, reconnect=policy(max_attempts=1))
    for _ in range(2):
        lose(proxy, waits)
        wait_until(lambda: watch.state is State.OPEN)
        proxy.strike(faults.reset())
        talk.ended()
        assert watch.state is State.CLOSED
        talk.call("connect" if front is CallbackTalk else "reconnect")
    assert waits.seconds == [1.0, 1.0]
    assert talk.front.is_open()


# --- predicates


@pytest.mark.parametrize("wrong", [ZeroDivisionError("mine"), SystemExit("mine")], ids=repr)
def test_a_predicate_that_raises(
    watch: Watch, waits: Waits, server: EchoServer, proxied: Proxied, wrong: BaseException
) -> None:
    """`on_error` is told, the rules decide, and nothing else is the matter."""

    def retry(cause: Any) -> bool:
        raise wrong

    proxy = proxied(server, faults.PASS, faults.cut())
    talk = watch.open(proxy.url, reconnect=policy(retry=retry))
    lose(proxy, waits)
    wait_until(lambda: watch.state is State.OPEN)
    talk.send("up again")
    assert talk.receive() == "up again"
    assert [error for error in watch.errors if error is wrong] == [wrong] * 2
    server.close_connections(1000)
    assert talk.ended().code == 1000
    assert [error for error in watch.errors if error is wrong] == [wrong] * 3


@pytest.mark.parametrize("truth", [1, 0, "yes", "", None])
def test_a_predicate_may_give_anything(
    watch: Watch, waits: Waits, server: EchoServer, proxied: Proxied, truth: Any
) -> None:
    proxy = proxied(server)
    talk = watch.open(proxy.url, reconnect=policy(retry=lambda cause: truth))
    proxy.strike(faults.reset())
    if truth:
        wait_until(lambda: len(proxy.connections) == 2 and watch.state is State.OPEN)
    else:
        assert talk.ended().code == 1006
        assert watch.state is State.CLOSED


# --- ends that nothing follows


def test_stop_is_the_end(watch: Watch, waits: Waits, server: EchoServer, proxied: Proxied) -> None:
    """`FrameAction.STOP`: the user listens no more."""
    proxy = proxied(server)
    talk = watch.open(
        proxy.url,
        reconnect=policy(retry=lambda cause: True),
        on_frame=lambda frame: FrameAction.STOP,
    )
    talk.send("answer me")
    talk.ended()
    watch.expect("open", "close 1001", "end")
    assert watch.state is State.CLOSED and waits.seconds == []
    watch.expect_events("open", "closed 1001")
    watch.expect_nothing()
    assert len(proxy.connections) == 1


@pytest.mark.parametrize("code", [1001, 1012])
def test_a_goodbye_that_crosses_ours(watch: Watch, waits: Waits, scripted: Any, code: int) -> None:
    """Whoever has closed here wants no other connection, whatever the peer's Close says."""

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.expect_close()
        peer.send_close(code, "restarting")

    talk = watch.open(scripted(script).url, reconnect=policy(retry=lambda cause: True))
    talk.close_now()
    watch.expect("open", "close *", "end")
    assert watch.state is State.CLOSED and waits.seconds == []
    watch.expect_events("open", "closed *")
    watch.expect_nothing()


def test_who_waits_is_told_at_the_very_end(
    watch: Watch,
    waits: Waits,
    front: type[Talk],
    server: EchoServer,
    proxied: Proxied,
    in_thread: Any,
) -> None:
    """`wait()`, `run_forever()`, iteration: they go on through all outages but the last."""
    proxy = proxied(server)
    talk = watch.open(proxy.url, reconnect=policy(max_attempts=2))
    messages: list[Any] = []

    async def iterate() -> None:
        async for message in talk.front:
            messages.append(message)

    def collect() -> None:
        for message in talk.front:
            messages.append(message)

    if front is CallbackTalk:
        waiting = [in_thread(talk.front.wait), in_thread(talk.front.run_forever)]
    elif front is AsyncioTalk:
        waiting = [in_thread(talk.run, iterate())]
    else:
        waiting = [in_thread(collect)]
    for count in (1, 2):
        lose(proxy, waits)
        wait_until(lambda: watch.state is State.OPEN)
        talk.send("up again")
        if front is CallbackTalk:
            messages.append(talk.receive())
        wait_until(lambda count=count: len(messages) == count)
    server.close_connections(1001, "first")
    results = [ended() for ended in waiting]
    assert watch.state is State.CLOSED
    if front is CallbackTalk:
        assert [(info.code, info.reason) for info in results] == [(1001, "first")] * 2
    assert watch.attempts[-1].number == 2
    assert talk.front.close_info.reason == "first"
    assert talk.front.stats().reconnects == 2


def test_what_is_raised_then(
    watch: Watch, waits: Waits, front: type[Talk], server: EchoServer, proxied: Proxied
) -> None:
    """By everything that needs a connection: how the last one ended, and why there is none."""
    proxy = proxied(server, faults.PASS, faults.reset(), faults.REFUSE)
    talk = watch.open(proxy.url, reconnect=policy(max_attempts=2), offline="queue")
    lose(proxy, waits)
    talk.ended()
    wait_until(lambda: watch.state is State.CLOSED)
    calls: list[Callable[[], Any]] = [
        lambda: talk.send("a"),
        lambda: talk.call("ping"),
        lambda: talk.call("send_json", {}),
        lambda: talk.call("send", "a", when_offline="drop"),
    ]
    if front is not CallbackTalk:
        calls.append(talk.receive)
    for call in calls:
        with pytest.raises(tieline.ConnectionClosed) as raised:
            call()
        assert raised.value.close_info == watch.ends[0]
    if front is not CallbackTalk:
        assert isinstance(raised.value.__cause__, ConnectError)
        assert raised.value.__cause__ is not None and "max_attempts=2" in str(raised.value)
