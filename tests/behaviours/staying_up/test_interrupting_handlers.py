"""Handlers that close or connect in an outage → as if a user had, and nobody waits for himself."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import Any

import pytest

import tieline
from tests.behaviours.staying_up.losing import Proxied
from tests.fronts import PATIENCE, AsyncioTalk, CallbackTalk, Talk
from tests.outages import Waits, policy, wait_until
from tieline import State
from tieline.testing import EchoServer, Recorder, faults

pytestmark = pytest.mark.usefixtures("without_slices", "without_second_chances")

#: Handlers that run in an outage, in the order in which they do, and the next one behind it.
KINDS = ("error", "close", "reconnecting", "open")


class Act:
    """Does it in a handler, once. In asyncio a task does: it was asked for in the handler."""

    def __init__(self, talk: Talk, *calls: tuple[str, dict[str, Any]]) -> None:
        self._talk = talk
        self._calls = list(calls)
        self._done: Future[list[Any]] = Future()

    def __call__(self, value: object) -> None:
        if not self._calls:
            return
        calls, self._calls = self._calls, []
        if isinstance(self._talk, AsyncioTalk):
            self._task = asyncio.get_running_loop().create_task(self._do_later(calls))
        else:
            try:
                self._done.set_result([self._do(*call) for call in calls])
            except Exception as error:
                self._done.set_exception(error)

    def _do(self, method: str, keywords: dict[str, Any]) -> Any:
        return getattr(self._talk.front, method)(**keywords)

    async def _do_later(self, calls: list[tuple[str, dict[str, Any]]]) -> None:
        try:
            self._done.set_result([await self._do(*call) for call in calls])
        except Exception as error:
            self._done.set_exception(error)

    def result(self) -> list[Any]:
        """What the calls returned, or the one that raised raised."""
        return self._done.result(PATIENCE)


def closing(talk: Talk) -> tuple[str, dict[str, Any]]:
    return ("disconnect" if isinstance(talk, CallbackTalk) else "close", {})


def kinds_of(recorder: Recorder) -> list[str]:
    """What was called after the first "open", one at a time, and each end before what follows."""
    assert recorder.overlaps == []
    kinds = ["open", *(record.kind for record in recorder.take())]
    ends = [kind for kind in kinds if kind in ("open", "close")]
    assert ends == ["open", "close"] * (len(ends) // 2), ends
    return kinds


@pytest.mark.parametrize("kind", KINDS)
def test_closing(talks: Any, waits: Waits, server: EchoServer, proxied: Proxied, kind: str) -> None:
    recorder = Recorder()
    proxy = proxied(server)
    talk = talks(proxy.url, reconnect=policy(), **recorder.handlers(*KINDS))
    recorder.expect("open", timeout=PATIENCE)
    act = Act(talk, closing(talk))
    recorder.react(kind, act)
    proxy.strike(faults.reset())
    act.result()
    info = talk.ended()
    wait_until(lambda: talk.front.state is State.CLOSED)
    # `wait()` returns when all handlers have.
    assert info == talk.front.close_info
    kinds = kinds_of(recorder)
    wanted = {
        "error": [["open", "error", "close"]],
        "close": [["open", "error", "close"]],
        "reconnecting": [["open", "error", "close", "reconnecting"]],
        "open": [["open", "error", "close", "reconnecting", "open", "close"]],
    }
    if isinstance(talk, AsyncioTalk):  # the task runs when the other handlers have returned
        wanted["error"].append(["open", "error", "close", "reconnecting"])
        wanted["close"].append(["open", "error", "close", "reconnecting"])
    assert kinds in wanted[kind]
    assert len(proxy.connections) == 1 + (kind == "open")
    with pytest.raises(tieline.ConnectionClosed):
        talk.send("too late")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wish", ["reconnect", "connect", "overlap"])
def test_connecting(
    front: type[Talk],
    talks: Any,
    waits: Waits,
    server: EchoServer,
    proxied: Proxied,
    kind: str,
    wish: str,
) -> None:
    if wish == "connect" and front is not CallbackTalk:
        pytest.skip("there is no connect() to call again")
    recorder = Recorder()
    proxy = proxied(server)
    talk = talks(proxy.url, reconnect=policy(), **recorder.handlers(*KINDS))
    call = ("reconnect", {"overlap": True}) if wish == "overlap" else (wish, {})
    recorder.expect("open", timeout=PATIENCE)
    act = Act(talk, call)
    recorder.react(kind, act)
    proxy.strike(faults.reset())
    (response,) = act.result()
    assert response.reconnected is (wish != "connect")
    wait_until(lambda: talk.front.is_open())
    talk.send("up again")
    assert talk.receive() == "up again"
    proxy.strike(faults.reset())
    wait_until(lambda: talk.front.response.reconnected and talk.front.response is not response)
    wait_until(lambda: talk.front.is_open())
    talk.send("and again")
    assert talk.receive() == "and again"
    talk.close_now()
    kinds_of(recorder)


@pytest.mark.parametrize("kind", KINDS)
def test_closing_and_connecting(
    front: type[Talk], talks: Any, waits: Waits, server: EchoServer, proxied: Proxied, kind: str
) -> None:
    """Also this: the program starts anew in a handler."""
    recorder = Recorder()
    proxy = proxied(server)
    talk = talks(proxy.url, reconnect=policy(), **recorder.handlers(*KINDS))
    again = ("connect" if front is CallbackTalk else "reconnect", {})
    recorder.expect("open", timeout=PATIENCE)
    act = Act(talk, closing(talk), again)
    recorder.react(kind, act)
    proxy.strike(faults.reset())
    act.result()
    wait_until(lambda: talk.front.is_open())
    talk.send("up again")
    assert talk.receive() == "up again"
    talk.close_now()
    assert talk.front.state is State.CLOSED
    kinds_of(recorder)


@pytest.mark.parametrize("kind", KINDS)
def test_without_reconnect_a_handler_may_do_it_by_hand(
    front: type[Talk], talks: Any, server: EchoServer, proxied: Proxied, kind: str
) -> None:
    if kind in ("reconnecting", "open"):
        pytest.skip("nothing calls it")
    recorder = Recorder()
    proxy = proxied(server)
    talk = talks(proxy.url, reconnect=False, **recorder.handlers(*KINDS))
    recorder.expect("open", timeout=PATIENCE)
    act = Act(talk, ("reconnect", {}))
    recorder.react(kind, act)
    proxy.strike(faults.reset())
    act.result()
    wait_until(lambda: talk.front.is_open())
    talk.send("up again")
    if front is CallbackTalk:
        assert talk.receive() == "up again"
    talk.close_now()
    kinds_of(recorder)
    assert len(proxy.connections) == 2


def test_waiting_in_a_handler_of_an_outage_is_refused(
    front: type[Talk], talks: Any, waits: Waits, server: EchoServer, proxied: Proxied
) -> None:
    """It would wait for itself."""
    if front is AsyncioTalk:
        pytest.skip("handlers cannot await there")
    refused: list[str] = []

    def try_to_wait(value: object) -> None:
        if front is CallbackTalk:
            waiting = [talk.front.wait, talk.front.flush]
        else:
            waiting = [talk.front.recv, talk.front.flush]
        for wait in waiting:
            try:
                wait(timeout=PATIENCE)
            except (RuntimeError, tieline.ConnectionClosed) as error:
                refused.append(type(error).__name__)

    proxy = proxied(server)
    recorder = Recorder()
    talk = talks(
        proxy.url, reconnect=policy(), offline="queue", **recorder.handlers("reconnecting", "open")
    )
    recorder.react("reconnecting", try_to_wait)
    proxy.strike(faults.reset())
    recorder.wait_for("open", timeout=PATIENCE)
    recorder.wait_for("reconnecting", timeout=PATIENCE)
    recorder.wait_for("open", timeout=PATIENCE)
    assert refused == ["RuntimeError", "RuntimeError"]


def test_the_next_connection_waits_for_the_handler(
    front: type[Talk], talks: Any, waits: Waits, server: EchoServer, proxied: Proxied
) -> None:
    """A thread that asks for messages meanwhile does not make handlers run two at a time."""
    if front is AsyncioTalk:
        pytest.skip("all handlers run on the loop")
    recorder = Recorder()
    proxy = proxied(server)
    talk = talks(proxy.url, reconnect=policy(), **recorder.handlers("open", "close"))
    recorder.expect("open", timeout=PATIENCE)
    is_up, is_tried = threading.Event(), threading.Event()

    def reconnect(value: object) -> None:
        if not is_up.is_set():
            talk.front.reconnect()
            is_up.set()
            is_tried.wait(PATIENCE)

    recorder.react("close", reconnect)
    proxy.strike(faults.reset())
    assert is_up.wait(PATIENCE)
    talk.send("on the new one")
    came = None
    try:
        came = talk.receive(0.1)
    except TimeoutError:
        pass
    is_tried.set()
    assert (came or talk.receive()) == "on the new one"
    assert [record.kind for record in recorder.take()] == ["close", "open"]
    assert recorder.overlaps == []
