"""A list of URLs → tried in order, the last good one first, without a wait within a round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import tieline
from tests.behaviours.staying_up.conversations import Conversations
from tests.behaviours.staying_up.losing import LOST, Proxied
from tests.outages import Waits, Watch, policy
from tieline import ConnectError, State
from tieline.testing import EchoServer, FaultProxy, faults

Places = list[FaultProxy]


@pytest.fixture
def places(proxied: Proxied, server: EchoServer) -> Places:
    """Three ways to the server."""
    return [proxied(server) for _ in range(3)]


def urls(places: Places) -> list[str]:
    return [f"{place.url}?token=secret" for place in places]


def masked(*places: FaultProxy) -> list[str]:
    return [f"{place.url}?token=***" for place in places]


def lose(place: FaultProxy, *refusing: FaultProxy) -> None:
    """The line breaks, and these cannot be reached any more."""
    for one in refusing:
        one.refuse()
    place.strike(faults.reset())


def is_at(watch: Watch, place: FaultProxy) -> None:
    """The connection is one of this place."""
    front = watch.talk.front
    assert [front.url, front.safe_url, front.response.url] == masked(place) * 3
    assert watch.state is State.OPEN


def test_the_first_that_can_be_reached(watch: Watch, waits: Waits, places: Places) -> None:
    first, second, third = places
    first.refuse()
    watch.open(urls(places))
    is_at(watch, second)
    response = watch.talk.front.response
    assert (response.attempts, response.reconnected, response.downtime) == (2, False, 0.0)
    assert third.connections == []
    assert [seconds for seconds in waits.seconds if seconds] == []


def test_without_reconnect(watch: Watch, places: Places) -> None:
    first, second, _ = places
    first.refuse()
    talk = watch.open(urls(places), reconnect=False)
    is_at(watch, second)
    lose(second)
    talk.ended()
    assert watch.state is State.CLOSED
    assert talk.front.safe_url == masked(second)[0]


def test_the_last_good_one_comes_first(watch: Watch, waits: Waits, places: Places) -> None:
    first, second, third = places
    first.refuse()
    watch.open(urls(places))
    watch.expect("open")
    first.listen()
    lose(second)
    watch.expect(*LOST, "reconnecting 1", "open again")
    is_at(watch, second)
    assert watch.attempts[-1].url == masked(second)[0]

    lose(second, second, first)  # the others follow in the order of the list
    watch.expect(*LOST, "reconnecting 2", "reconnecting 3", "reconnecting 4", "open again")
    assert [attempt.url for attempt in watch.attempts[-3:]] == masked(second, first, third)
    assert [attempt.delay for attempt in watch.attempts[-3:]] == [2.0, 0.0, 0.0]
    assert watch.responses[-1].attempts == 3
    is_at(watch, third)

    second.listen()
    lose(third, third)
    watch.expect(*LOST, "reconnecting 5", "reconnecting 6", "reconnecting 7", "open again")
    assert [attempt.url for attempt in watch.attempts[-3:]] == masked(third, first, second)
    is_at(watch, second)


def test_round_after_round(watch: Watch, waits: Waits, places: Places, said: Conversations) -> None:
    """The wait is once for each round, and so it grows."""
    watch.open(urls(places))
    rounds = 3
    # The waits of a round: one before its first dial, and two that last no time.
    waits.before[3 * rounds + 2] = places[1].listen
    lose(places[0], *places)
    numbers = [f"reconnecting {n + 1}" for n in range(3 * rounds + 2)]
    watch.expect("open", *LOST, *numbers, "open again")
    assert waits.seconds == [1.0, 0, 0, 2.0, 0, 0, 4.0, 0, 0, 8.0, 0]
    assert [attempt.delay for attempt in watch.attempts] == waits.seconds
    order = masked(*places)
    assert [attempt.url for attempt in watch.attempts] == [*order * 3, *order[:2]]
    is_at(watch, places[1])
    said.wait_for([], [])


def test_connect_raises_when_none_can_be_reached(
    watch: Watch, waits: Waits, server: EchoServer, proxied: Proxied
) -> None:
    """The last error, and what the others said."""
    places = [proxied(server, fault) for fault in (faults.cut(), faults.cut(20), faults.REFUSE)]
    with pytest.raises(ConnectError) as raised:
        watch.open(urls(places))
    assert str(places[2].port) in str(raised.value)
    *notes, hint = raised.value.__notes__
    assert "initial_connect=True" in hint
    assert len(notes) == 2
    for note, place in zip(notes, places, strict=False):
        assert note.startswith("before that: ") and str(place.port) in note, note
        assert "secret" not in note
    assert [len(place.connections) for place in places] == [1, 1, 0]
    assert [seconds for seconds in waits.seconds if seconds] == []


def test_the_first_connect_keeps_trying_when_asked_to(
    watch: Watch, waits: Waits, places: Places
) -> None:
    for place in places:
        place.refuse()
    waits.before[4] = places[1].listen
    watch.open(urls(places), reconnect=policy(initial_connect=True))
    assert waits.seconds == [0, 0, 1.0, 0]
    watch.expect(*["reconnecting *"] * 4, "open")
    assert watch.responses[0].attempts == 5
    is_at(watch, places[1])


def test_max_attempts_lets_a_round_end(watch: Watch, waits: Waits, places: Places) -> None:
    talk = watch.open(urls(places), reconnect=policy(max_attempts=4))
    lose(places[0], *places)
    info = talk.ended()
    assert info.code == 1006
    numbers = [f"reconnecting {n}" for n in range(1, 7)]
    watch.expect("open", *LOST, *numbers, "error ConnectError")
    assert "max_attempts=4" not in str(watch.errors[-1])
    *notes, last = watch.errors[-1].__notes__
    assert len(notes) == 2 and "given up after 6 dials" in last
    assert waits.seconds == [1.0, 0, 0, 2.0, 0, 0]


# --- what is worth another round


def refusing(status: int) -> Callable[[Any], None]:
    return lambda peer: peer.respond(status)


@pytest.mark.parametrize(
    ("statuses", "goes_on"),
    [((404, 503), True), ((503, 404), True), ((404, 403), False)],
    ids=str,
)
def test_one_good_reason_is_enough(
    watch: Watch,
    waits: Waits,
    scripted: Any,
    server: EchoServer,
    proxied: Proxied,
    statuses: tuple[int, int],
    goes_on: bool,
) -> None:
    good, other = proxied(server), proxied(server)
    refusals = [scripted(refusing(status)) for status in statuses]
    talk = watch.open([good.url, other.url])
    waits.before[1] = lambda: good.lead_to(refusals[0].url)
    other.lead_to(refusals[1].url)
    waits.before[3] = lambda: good.lead_to(server.url)
    lose(good)
    if goes_on:
        numbers = [f"reconnecting {n}" for n in (1, 2, 3)]
        watch.expect("open", *LOST, *numbers, "open again")
    else:
        talk.ended()
        numbers = [f"reconnecting {n}" for n in (1, 2)]
        watch.expect("open", *LOST, *numbers, "error HandshakeError")
        assert "404" in watch.errors[-1].__notes__[0]


def test_each_error_is_shown_to_the_predicate(watch: Watch, waits: Waits, places: Places) -> None:
    causes: list[Any] = []

    def retry(cause: Any) -> bool:
        causes.append(cause)
        return isinstance(cause, tieline.CloseInfo)

    talk = watch.open(urls(places), reconnect=policy(retry=retry))
    lose(places[0], *places)
    talk.ended()
    assert causes[0] == watch.ends[0]
    ports = [str(place.port) for place in places]
    assert len(causes) == 4
    assert all(port in str(cause) for port, cause in zip(ports, causes[1:], strict=True))


def test_a_callable_among_them(watch: Watch, waits: Waits, places: Places) -> None:
    """It is asked when it is its turn, and what it raises counts for its place."""
    answers: list[Any] = [LookupError("not yet"), places[1].url]

    def second() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    first, _, third = places
    first.refuse()
    watch.open([first.url, second, third.url])
    assert watch.talk.front.url == third.url
    watch.expect("open")
    assert watch.attempts == [], "nothing was lost yet"
    lose(third, third)
    watch.expect(*LOST, "reconnecting *", "reconnecting *", "reconnecting *", "open again")
    assert watch.talk.front.url == places[1].url
    assert answers == []
