"""A plain connection under many threads and tiny timeouts → no message lost, none twice."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tieline
from tieline.engine import driving
from tieline.protocol.wire import Opcode
from tieline.testing.frames import frame_bytes

SOON = 20.0

#: Seconds within which everybody has been told, on a busy machine; a wake-up that is lost would be
#: made up for by a slice (`without_slices`: 60 s) or by a Ping (20 s).
AT_ONCE = 8.0

Plain = Callable[..., tieline.Connection]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_slices")]


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads take turns after nearly every instruction."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reactor adopts what is not driven after a moment, so that it happens all the time."""
    monkeypatch.setattr(driving, "ADOPTION", 0.0005)


def payload(number: int, size: int) -> bytes:
    head = b"%d:%d:" % (number, size)
    return head + bytes([number % 251]) * size


def number_of(message: Any) -> int:
    head, size, rest = message.split(b":", 2)
    assert rest == bytes([int(head) % 251]) * int(size)
    return int(head)


def sizes(chance: random.Random, count: int) -> list[int]:
    """Mostly small ones, some larger than any buffer on the way."""
    usual = [chance.choice((0, 1, 10, 100, 200, 1000)) for _ in range(count)]
    for place in range(0, count, count // 4):
        usual[place] = chance.choice((70_000, 300_000, 3 << 20))
    return usual


def in_pieces(chance: random.Random, message: bytes) -> bytes:
    """The frames of a message, fragmented or not."""
    if len(message) > 100_000 or chance.random() < 0.7:
        return frame_bytes(Opcode.BINARY, message)
    cut = chance.randrange(len(message) + 1)
    return b"".join(
        (
            frame_bytes(Opcode.BINARY, message[:cut], fin=False),
            frame_bytes(Opcode.PING, b"between"),
            frame_bytes(Opcode.CONTINUATION, message[cut:]),
        )
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_random_timeouts_and_pauses(
    plain: Plain,
    scripted: Any,
    place_of: Any,
    secure_or_not: Any,
    hasty: None,
    switching: None,
    seed: int,
) -> None:
    count = 2000
    chance = random.Random(seed)
    frames = [
        in_pieces(chance, payload(number, size)) for number, size in enumerate(sizes(chance, count))
    ]

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        stream = b"".join(frames)
        position = 0
        while position < len(stream):
            step = chance.choice((1, 7, 300, 5000, 20_000, 1 << 20))
            peer.send_raw(stream[position : position + step])
            position += step
            if chance.random() < 0.1:
                peer.pause(chance.random() * 0.003)
        peer.send_close(1000)
        peer.expect_close(1000)

    ws = plain(place_of(scripted(script, **secure_or_not)), max_queue=chance.choice((1, 50)))
    mine = random.Random(-seed)
    pause = threading.Event()
    got: list[int] = []
    timeouts = 0
    deadline = time.monotonic() + SOON
    while time.monotonic() < deadline:
        try:
            got.append(number_of(ws.recv(mine.choice((0, 0, 0.0001, 0.001, 0.003)))))
        except TimeoutError:
            timeouts += 1
        except tieline.ConnectionClosed:
            break
        if mine.random() < 0.02:
            pause.wait(mine.random() * 0.004)
    assert got == list(range(count))
    assert timeouts


@pytest.mark.parametrize("place_of_a_byte", ["tcp", "tls"])
def test_byte_by_byte(
    plain: Plain, scripted: Any, place_of: Any, server_context: Any, place_of_a_byte: str
) -> None:
    context = server_context if place_of_a_byte == "tls" else None
    frames = [frame_bytes(Opcode.TEXT, "ü" * number) for number in range(8)]

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.drip(b"".join(frames), 0.0)
        peer.send_close(1000)
        peer.expect_close(1000)

    ws = plain(place_of(scripted(script, ssl_context=context)))
    assert list(ws) == ["ü" * number for number in range(8)]


@pytest.mark.parametrize("seed", [1, 2])
def test_many_senders_and_many_receivers(
    echo_place: Any, plain: Plain, in_thread: Any, hasty: None, switching: None, seed: int
) -> None:
    senders, receivers, each = 4, 4, 150
    ws = plain(echo_place, max_queue=16)
    all_got = threading.Event()
    lock = threading.Lock()
    got: list[list[str]] = [[] for _ in range(receivers)]

    def send(sender: int) -> None:
        for number in range(each):
            ws.send(f"{sender}:{number}")

    def receive(mine: list[str]) -> None:
        chance = random.Random(seed + id(mine))
        while not all_got.is_set():
            try:
                message = ws.recv(chance.choice((None, None, 0.0, 0.002)))
            except TimeoutError:
                continue
            except tieline.ConnectionClosed:
                return
            assert isinstance(message, str)
            mine.append(message)
            with lock:
                if sum(map(len, got)) == senders * each:
                    all_got.set()

    results = [in_thread(send, sender) for sender in range(senders)]
    results += [in_thread(receive, mine) for mine in got]
    assert all_got.wait(SOON), f"{sum(map(len, got))} of {senders * each} came"
    ws.close()
    for result in results:
        result()
    together = [message for mine in got for message in mine]
    assert len(together) == len(set(together)) == senders * each
    for mine in got:
        for sender in range(senders):
            numbers = [int(m.split(":")[1]) for m in mine if m.startswith(f"{sender}:")]
            assert numbers == sorted(numbers)


def test_nobody_is_stuck_when_the_one_that_drives_leaves(
    plain: Plain, scripted: Any, in_thread: Any, within: Any
) -> None:
    """One message after the other, each for whoever waits."""
    waiting = 6

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        for number in range(waiting):
            peer.expect_text("next")
            peer.send_text(str(number))
        peer.hold()

    ws = plain(scripted(script).url)
    results = [in_thread(lambda: ws.recv(SOON)) for _ in range(waiting)]
    with pytest.raises(TimeoutError):
        ws.recv(0.01)
    with within(AT_ONCE):
        for _ in range(waiting):
            ws.send("next")
        assert sorted(result() for result in results) == [str(n) for n in range(waiting)]


def test_a_timeout_of_the_one_that_drives_leaves_it_to_another(
    plain: Plain, scripted: Any, in_thread: Any, within: Any
) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_text("now")
        peer.send_text("a")
        peer.hold()

    ws = plain(scripted(script).url)
    started = threading.Event()

    def first() -> None:
        started.set()
        with pytest.raises(TimeoutError):
            ws.recv(0.2)

    one = in_thread(first)
    assert started.wait(SOON)
    two = in_thread(lambda: ws.recv(SOON))
    one()
    with within(AT_ONCE):
        ws.send("now")
        assert two() == "a"


def test_echo_with_adoptions_in_between(
    echo_place: Any, plain: Plain, hasty: None, switching: None
) -> None:
    """Each message is asked for when nobody, or everybody, is about to look after the line."""
    ws = plain(echo_place)
    chance = random.Random(3)
    pause = threading.Event()
    for number in range(400):
        ws.send(str(number))
        if chance.random() < 0.3:
            pause.wait(chance.random() * 0.002)
        started = time.monotonic()
        assert ws.recv(SOON) == str(number)
        assert time.monotonic() - started < AT_ONCE, "a wake-up was lost"


@pytest.mark.parametrize("who", ["close", "peer", "drop"])
def test_the_end_races_with_everything(
    echo: Any, plain: Plain, in_thread: Any, hasty: None, switching: None, who: str
) -> None:
    """Receivers, senders and closers at once, again and again: everybody comes back."""

    def work(ws: tieline.Connection, what: Callable[[], object]) -> None:
        try:
            while True:
                what()
        except tieline.ConnectionClosed:
            pass

    for _ in range(15):
        ws = plain(echo.url)
        results = [in_thread(work, ws, ws.recv) for _ in range(2)]
        results.append(in_thread(work, ws, lambda ws=ws: ws.send("x" * 50)))
        results.append(in_thread(work, ws, lambda ws=ws: ws.ping().wait(SOON)))
        started = time.monotonic()
        if who == "close":
            for closing in [in_thread(ws.close) for _ in range(2)]:
                closing()
        elif who == "peer":
            echo.close_connections(1001)
        else:
            ws.close(timeout=0)
        for result in results:
            result()
        assert time.monotonic() - started < AT_ONCE, "somebody was told late"
        assert ws.close_info is not None
