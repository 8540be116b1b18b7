"""Callables for URL, headers and credentials → asked before every dial, and what they raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import tieline
from tests.behaviours.staying_up.conversations import Conversations
from tests.behaviours.staying_up.losing import LOST, Proxied, lose
from tests.fronts import CallbackTalk, Talk
from tests.outages import Waits, Watch, policy
from tieline import OptionError, State
from tieline.testing import EchoServer, faults

#: An option, and what its callable could give.
GOOD: dict[str, Callable[[str], Any]] = {
    "url": lambda url: url,
    "headers": lambda url: {"X-Number": "1"},
    "auth": lambda url: tieline.Bearer("token"),
}
#: What it must not give.
BAD = {"url": 7, "headers": {"Sec-WebSocket-Key": "mine"}, "auth": "token"}


class Asked:
    """A callable that gives the next of its answers, or raises it; the last one for ever."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.arguments: list[tuple[Any, ...]] = []

    def __call__(self, *arguments: Any) -> Any:
        self.arguments.append(arguments)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def given(url: str, option: str, asked: Asked) -> tuple[Any, dict[str, Any]]:
    """The URL and the options for a client that asks for this one."""
    return ({"url": asked}, {}) if option == "url" else (url, {option: asked})


def test_they_are_asked_before_every_dial(
    watch: Watch, waits: Waits, server: EchoServer, said: Conversations, proxied: Proxied
) -> None:
    """Also before those that fail."""
    proxy = proxied(server, faults.PASS, faults.reset(), faults.cut())
    url = Asked(*(f"{proxy.url}?number={number}&token=secret" for number in range(10)))
    headers = Asked(*({"X-Number": f"{number}"} for number in range(10)))
    auth = Asked(*(tieline.Bearer(f"token-{number}") for number in range(10)))
    talk = watch.open({"url": url}, headers=headers, auth=auth)
    assert talk.front.url == talk.front.safe_url == f"{proxy.url}?number=0&token=***"
    lose(proxy, waits)
    watch.expect("open", *LOST, *(f"reconnecting {n}" for n in (1, 2, 3)), "open again")
    lose(proxy, waits)
    watch.expect(*LOST, "reconnecting 4", "open again")
    for number, connection in zip((0, 3, 4), said.connections, strict=True):
        request = connection.request
        assert request.target == f"/?number={number}&token=secret"
        assert request.headers["x-number"] == f"{number}"
        assert request.headers["authorization"].startswith("Bearer token-")
    asked_with = [f"{proxy.url}?number={number}&token=***" for number in range(5)]
    assert [url for (url,) in auth.arguments] == asked_with[-len(auth.arguments) :]
    assert len(url.arguments) == len(headers.arguments) == 5
    assert [attempt.url for attempt in watch.attempts] == [""] * 4  # nobody knows it yet
    assert [str(response.url) for response in watch.responses] == [
        asked_with[0],
        asked_with[3],
        asked_with[4],
    ]
    assert talk.front.url == asked_with[4]


@pytest.mark.parametrize("option", GOOD)
@pytest.mark.parametrize("error", [LookupError("no token"), OSError("no file"), StopIteration()])
def test_what_they_raise_fails_the_dial(
    watch: Watch,
    waits: Waits,
    server: EchoServer,
    proxied: Proxied,
    option: str,
    error: Exception,
) -> None:
    proxy = proxied(server)
    good = GOOD[option](proxy.url)
    url, options = given(proxy.url, option, Asked(good, error, error, good))
    talk = watch.open(url, **options)
    lose(proxy, waits)
    watch.expect("open", *LOST, *(f"reconnecting {n}" for n in (1, 2, 3)), "open again")
    for attempt in watch.attempts[1:]:
        cause = attempt.cause
        assert cause is error or (isinstance(cause, RuntimeError) and cause.__cause__ is error)
    assert watch.responses[1].attempts == 3
    assert len([one for one in proxy.connections if one.is_open]) == 1
    talk.send("up again")
    while talk.receive() != "up again":
        pass


@pytest.mark.parametrize("option", GOOD)
def test_the_first_connect_raises_it(
    watch: Watch, waits: Waits, server: EchoServer, option: str
) -> None:
    error = LookupError("no token")
    url, options = given(server.url, option, Asked(error, GOOD[option](server.url)))
    with pytest.raises(LookupError) as raised:
        watch.open(url, **options)
    assert raised.value is error
    watch.expect_nothing()
    watch.open(url, **options, reconnect=policy(initial_connect=True))
    watch.expect("open")
    assert waits.seconds == []


@pytest.mark.parametrize("option", GOOD)
def test_the_first_connect_may_try_again(
    watch: Watch, waits: Waits, server: EchoServer, option: str
) -> None:
    error = LookupError("no token")
    url, options = given(server.url, option, Asked(error, GOOD[option](server.url)))
    watch.open(url, **options, reconnect=policy(initial_connect=True))
    watch.expect("reconnecting 1", "open")
    assert watch.attempts[0].cause is error
    assert (watch.responses[0].attempts, watch.responses[0].reconnected) == (2, False)


@pytest.mark.parametrize("option", GOOD)
def test_what_cannot_be_used_is_the_end(
    watch: Watch, waits: Waits, server: EchoServer, proxied: Proxied, option: str
) -> None:
    """It is a mistake in the program: the next answer would be no better."""
    proxy = proxied(server)
    asked = Asked(GOOD[option](proxy.url), BAD[option])
    url, options = given(proxy.url, option, asked)
    talk = watch.open(url, **options)
    lose(proxy, waits)
    assert talk.ended().code == 1006
    watch.expect("open", *LOST, "reconnecting 1", "error OptionError")
    watch.expect_events("open", "closed 1006", "reconnecting 1", "gave up after 1")
    assert watch.state is State.CLOSED and len(asked.arguments) == 2
    with pytest.raises(OptionError):
        watch.open(*given(proxy.url, option, Asked(BAD[option]))[:1], **options)


def test_they_may_close(
    watch: Watch, waits: Waits, front: type[Talk], server: EchoServer, proxied: Proxied
) -> None:
    """As any other thread: the dial that asks is the one that ends."""
    if front is not CallbackTalk:
        pytest.skip("shown in test_interrupting_handlers.py for handlers")
    proxy = proxied(server)
    asked: list[str] = []

    def url() -> str:
        asked.append(proxy.url)
        if len(asked) == 2:
            watch.talk.front.disconnect()
        return proxy.url

    talk = watch.open({"url": url})
    lose(proxy, waits)
    assert talk.ended().code == 1006
    watch.expect("open", *LOST, "reconnecting 1")
    assert watch.state is State.CLOSED
    assert not any(one.is_open for one in proxy.connections[1:])


def test_headers_of_connect_are_sent_again(
    front: type[Talk], clients: Any, waits: Waits, server: EchoServer, said: Conversations
) -> None:
    if front is not CallbackTalk:
        pytest.skip("connect() takes no headers there but those of the option")
    client = clients(lambda message: None, server.url, reconnect=policy())
    client.connect(headers={"X-Only-Now": "yes"})
    said.connections[0].abort()
    said.wait_until(lambda: len(said.connections) == 2)
    client.reconnect()
    said.wait_until(lambda: len(said.connections) == 3)
    assert [one.request.headers["x-only-now"] for one in said.connections] == ["yes"] * 3
    client.connect()
    assert "x-only-now" not in said.connections[3].request.headers
