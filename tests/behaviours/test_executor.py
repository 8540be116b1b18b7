"""Handlers on an executor of the user's → the same order, one at a time, and reading that stops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import pytest

import tieline
from tieline.protocol.wire import Opcode
from tieline.testing import Recorder
from tieline.testing.frames import frame_bytes

SOON = 20.0

#: Seconds within which a client ends that nothing holds up, on a busy machine; `close_timeout`
#: is 10.
AT_ONCE = 8.0


class Queue:
    """An executor that is a function: a thread that runs what it gets."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def __call__(self, job: Callable[[], None]) -> None:
        self._jobs.put(job)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def shutdown(self) -> None:
        self._jobs.put(None)
        self.thread.join(SOON)


@pytest.fixture(params=["pool", "function"])
def executor(request: pytest.FixtureRequest) -> Iterator[Any]:
    made = ThreadPoolExecutor(4) if request.param == "pool" else Queue()
    yield made
    made.shutdown()


def test_order_and_one_at_a_time(echo: Any, executor: Any, recorder: Recorder) -> None:
    client = tieline.WebSocketClient(
        recorder.callback,
        echo.url,
        proxy=None,
        executor=executor,
        **recorder.handlers("open", "close", "pong"),
    )
    client.connect()
    for number in range(299):
        client.send(str(number))
    client.wait_for(lambda message: message == "299", SOON, send="299")
    client.disconnect()
    recorder.expect("open")
    for number in range(300):
        recorder.expect("message", str(number))
    recorder.expect("close")
    recorder.expect("end")
    recorder.assert_exhausted()
    assert not any(thread.name.startswith("tieline") for thread in recorder.threads)


@pytest.mark.slow
def test_reading_stops_and_goes_on(
    scripted: Any, executor: Any, secure_or_not: Any, place_of: Any
) -> None:
    """The peer notices that nobody reads; no message is lost, and keepalive blames nobody."""
    count, size = 400, 64 * 1024
    frame = frame_bytes(Opcode.BINARY, bytes(size))
    sent: list[int] = []
    release, all_came = threading.Event(), threading.Event()
    received: list[int] = []

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        for number in range(count):
            peer.send_raw(frame)
            sent.append(number)
        peer.expect_close()
        peer.send_close(1001)

    def slow(message: Any) -> None:
        if message is not None:
            if not received:
                assert release.wait(SOON)
            received.append(len(message))
            if len(received) == count:
                all_came.set()

    server = scripted(script, timeout=SOON, **secure_or_not)
    # The Pongs are not read for longer than `ping_timeout`, which a busy machine does not reach.
    client = place_of(server).client(
        slow, executor=executor, max_queue=4, ping_interval=0.05, ping_timeout=1.0
    )
    client.connect()
    try:
        watch, before = threading.Event(), -1
        while client.is_open() and (len(sent) != before or client.stats().queue_depth < 4):
            before = len(sent)
            watch.wait(1.0)
        assert len(sent) < count
        assert client.is_open()
        assert 4 <= client.stats().queue_depth <= 16
    finally:
        release.set()
    assert all_came.wait(SOON)
    client.disconnect()
    assert received == [size] * count
    assert client.close_info.clean


@pytest.mark.parametrize("streaming", [False, True])
def test_the_events_of_an_overlap_wait_for_their_turn(
    echo: Any, executor: Any, streaming: bool
) -> None:
    """While a handler is busy with the old connection, none is called for the new one."""
    inside, release = threading.Event(), threading.Event()
    is_busy, calls, beside = False, SimpleQueue[Any](), list[Any]()

    def on_message(message: Any) -> None:
        nonlocal is_busy
        is_busy = True
        inside.set()
        release.wait(SOON)
        is_busy = False

    def on_event(event: Any) -> None:
        if is_busy:
            beside.append(event)
        calls.put(event.connection_id)

    reactor = tieline.Reactor()
    client = tieline.WebSocketClient(
        None,
        echo.url,
        proxy=None,
        reactor=reactor,
        on_message=on_message,
        on_event=on_event,
        streaming=streaming,
        executor=None if streaming else executor,
    )
    with client, tieline.WebSocketClient(print, echo.url, proxy=None, reactor=reactor) as other:
        client.send("a")
        assert inside.wait(SOON)
        number = client.connection_id
        client.reconnect(overlap=True)
        for _ in range(2):  # by then the thread has done what it was asked for before
            other.ping().wait(SOON)
        release.set()
        while calls.get(timeout=SOON) == number:
            pass
        assert beside == []


@pytest.mark.parametrize("cancel", [False, True])
def test_an_executor_that_is_shut_down_early(
    echo: Any, recorder: Recorder, cancel: bool, within: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The end is told all the same, on whatever thread is left, and the log says why."""
    inside, release = threading.Event(), threading.Event()
    pool = ThreadPoolExecutor(1)

    def block() -> None:
        inside.set()
        release.wait(SOON)

    client = tieline.WebSocketClient(
        recorder.callback, echo.url, proxy=None, executor=pool, **recorder.handlers("close")
    )
    client.connect()
    client.wait_for(lambda message: True, SOON, send="a")
    pool.submit(block)
    assert inside.wait(SOON)
    client.ping().wait(SOON)
    client.send("b")
    client.ping().wait(SOON)
    pool.shutdown(wait=False, cancel_futures=cancel)
    release.set()
    pool.shutdown()  # or its thread might still take what comes
    with within(AT_ONCE):
        client.disconnect()
    assert [one.kind for one in recorder.take()] == ["message", "message", "close", "end"]
    assert recorder.overlaps == []
    (line,) = [
        one for one in caplog.records if one.name == "tieline" and one.levelname == "WARNING"
    ]
    assert "the executor does not run them" in line.getMessage()
    assert line.getMessage().startswith("[")


def test_a_handler_cannot_wait_for_what_may_stand_behind_it(
    echo: Any, executor: Any, recorder: Recorder
) -> None:
    """Reading stops while handlers are behind, and then nothing that is waited for would come."""
    done = threading.Event()

    def handle(message: Any) -> None:
        for wait in (client.wait, lambda: client.wait_for(bool, 1), client.ping().wait):
            with pytest.raises(RuntimeError, match="in a handler"):
                wait()
        done.set()

    client = tieline.WebSocketClient(on_message=handle, url=echo.url, executor=executor, proxy=None)
    client.connect()
    client.send("a")
    assert done.wait(SOON)
    client.disconnect()


def test_a_loop_that_is_closed_too_early(echo: Any, recorder: Recorder) -> None:
    """With a message of ours waiting on it: the end is told all the same, and can be waited for."""
    loop = asyncio.new_event_loop()
    client = tieline.WebSocketClient(
        recorder.callback, echo.url, proxy=None, executor=loop, **recorder.handlers("close")
    )
    client.connect()
    loop.close()
    client.disconnect()
    assert client.wait(SOON).code == 1001
    assert [record.kind for record in recorder.take()] == ["close", "end"]
