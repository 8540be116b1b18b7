"""Handlers that an executor runs, or that read streams → outages as anywhere else, in order."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import tieline
from tests.behaviours.staying_up.losing import Proxied, lose
from tests.fronts import PATIENCE
from tests.outages import Waits, policy, wait_until
from tieline import State
from tieline.testing import EchoServer, Recorder, faults

KINDS = ("open", "close", "error", "reconnecting")


def in_pool() -> Iterator[Any]:
    with ThreadPoolExecutor(3) as pool:
        yield pool


def on_loop() -> Iterator[Any]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="test-loop")
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()


def in_place() -> Iterator[Any]:
    yield lambda job: job()


def nowhere() -> Iterator[Any]:
    yield None


EXECUTORS: dict[str, Callable[[], Iterator[Any]]] = {
    "pool": in_pool,
    "loop": on_loop,
    "function": in_place,
    "none": nowhere,
}


@pytest.fixture(params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> Iterator[Any]:
    yield from EXECUTORS[request.param]()


@pytest.fixture(params=[False, True], ids=["whole", "streaming"])
def streaming(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def recorder(streaming: bool) -> Recorder:
    """Writes down messages as texts, also those that come in chunks."""
    recorder = Recorder()
    if streaming:
        keep = recorder.on_message
        recorder.on_message = lambda stream: keep("".join(stream))  # type: ignore[method-assign]
    return recorder


@pytest.fixture
def client(
    clients: Any,
    recorder: Recorder,
    executor: Any,
    streaming: bool,
    proxied: Proxied,
    server: EchoServer,
) -> Callable[..., tieline.WebSocketClient]:
    """client(url, **options), not connected yet."""
    if streaming and not isinstance(executor, ThreadPoolExecutor | None):
        pytest.skip("streams are waited for, which that executor cannot do")

    def make(url: Any, **options: Any) -> tieline.WebSocketClient:
        return clients(
            url,
            on_message=recorder.on_message,
            executor=executor,
            streaming=streaming,
            ping_interval=None,
            **({"reconnect": policy()} | recorder.handlers(*KINDS) | options),
        )

    return make


def kinds_of(recorder: Recorder) -> list[str]:
    assert recorder.overlaps == []
    return [record.value if record.kind == "message" else record.kind for record in recorder.take()]


def test_outages(
    client: Any,
    waits: Waits,
    server: EchoServer,
    proxied: Proxied,
    recorder: Recorder,
) -> None:
    """Each connection's messages, its end, the waits, the next one: in this order."""
    proxy = proxied(server, faults.PASS, faults.cut(), faults.PASS, faults.reset())
    ws = client(proxy.url, offline="queue")
    subscription = ws.subscribe("subscribed")
    ws.connect()
    for subscribed, received in (("subscribed", 1), ("another", 4)):
        wait_until(lambda received=received: len(recorder.messages) == received)
        with waits.held():
            lose(proxy, waits)
            ws.send("queued")
        wait_until(lambda received=received: len(recorder.messages) == received + 2)
        assert recorder.messages[-2:] == [subscribed, "queued"]
        subscription.cancel()
        subscription = ws.subscribe("another")
    wait_until(lambda: len(recorder.messages) == 7)
    ws.disconnect()
    lost = ["error", "close", "reconnecting", "reconnecting"]
    assert kinds_of(recorder) == [
        *["open", "subscribed", *lost],
        *["open", "subscribed", "queued", "another", *lost],
        *["open", "another", "queued", "another", "close"],
    ]
    assert ws.state is State.CLOSED


def test_giving_up(
    client: Any, waits: Waits, server: EchoServer, proxied: Proxied, recorder: Recorder
) -> None:
    """`wait()` returns when the last handler has."""
    proxy = proxied(server, faults.PASS, faults.cut(), faults.reset())
    ws = client(proxy.url, reconnect=policy(max_attempts=2))
    ws.connect()
    lose(proxy, waits)
    assert ws.wait(PATIENCE).code == 1006
    lost = ["open", "error", "close", "reconnecting", "reconnecting", "error"]
    assert kinds_of(recorder) == lost
    assert ws.state is State.CLOSED


@pytest.mark.parametrize("kind", ["close", "reconnecting", "open"])
@pytest.mark.parametrize("wish", ["disconnect", "reconnect", "connect"])
def test_wishes_in_handlers(
    client: Any,
    waits: Waits,
    server: EchoServer,
    proxied: Proxied,
    recorder: Recorder,
    kind: str,
    wish: str,
) -> None:
    proxy = proxied(server)
    ws = client(proxy.url)
    ws.connect()
    recorder.expect("open", timeout=PATIENCE)
    begun, done = threading.Event(), threading.Event()

    def act(value: object) -> None:
        if not begun.is_set():
            begun.set()
            getattr(ws, wish)()
            done.set()

    recorder.react(kind, act)
    proxy.strike(faults.reset())
    assert done.wait(PATIENCE)
    if wish == "disconnect":
        assert ws.wait(PATIENCE) == ws.close_info
        assert ws.state is State.CLOSED
    else:
        wait_until(lambda: ws.is_open() and len(proxy.connections) >= (3 if kind == "open" else 2))
        ws.send("up again")
        wait_until(lambda: recorder.messages)
        ws.disconnect()
    kinds = [kind for kind in ["open", *kinds_of(recorder)] if kind in ("open", "close")]
    assert kinds == ["open", "close"] * (len(kinds) // 2)


def test_a_slow_handler_holds_nothing_up(
    client: Any,
    waits: Waits,
    server: EchoServer,
    proxied: Proxied,
    recorder: Recorder,
    executor: Any,
) -> None:
    """The loss is told behind what came before it, and only then is there another dial."""
    if callable(executor) or executor is None:
        pytest.skip("the handler is on the thread that would notice the loss")
    inside, goes_on = threading.Event(), threading.Event()

    def hold(message: object) -> None:
        inside.set()
        goes_on.wait(PATIENCE)

    recorder.react("message", hold)
    proxy = proxied(server)
    ws = client(proxy.url)
    ws.connect()
    ws.send("slow")
    assert inside.wait(PATIENCE)
    proxy.strike(faults.reset())
    wait_until(lambda: ws.state is State.RECONNECTING)
    assert waits.seconds == [] and len(proxy.connections) == 1
    goes_on.set()
    wait_until(lambda: ws.state is State.OPEN)
    ws.disconnect()
    wanted = ["open", "slow", "error", "close", "reconnecting", "open", "close"]
    assert kinds_of(recorder) == wanted
