"""The short way: what goes it, what does not, and that nobody can tell which of them it was."""

from __future__ import annotations

import itertools
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tieline
from tests.builds import compiled_only
from tests.fronts import PATIENCE
from tests.outages import wait_until
from tieline.engine import receiving
from tieline.engine.driving import spares_of_thread
from tieline.engine.lane import NO_LANE
from tieline.protocol.big_frame import BIG, BigFrame
from tieline.testing import EchoServer, ScriptedPeer, ScriptedServer

#: Around the places where a header or the way of a message changes.
SIZES = [0, 1, 125, 126, 127, 128, 16383, 16384, 16385, 65535, 65536]


@pytest.fixture
def server() -> Iterator[EchoServer]:
    with EchoServer() as running:
        yield running


@pytest.fixture
def plain(server: EchoServer) -> Iterator[tieline.sync.Connection]:
    with tieline.connect(server.url, proxy=None, compression=None) as connection:
        yield connection


class Client:
    """A callback client that keeps what it gets."""

    def __init__(self, url: str, **options: Any) -> None:
        self.got: queue.SimpleQueue[str | bytes] = queue.SimpleQueue()
        options = {"proxy": None, "compression": None, "on_message": self.got.put} | options
        self.client = tieline.WebSocketClient(None, url, **options)
        self.client.connect()

    @property
    def lane(self) -> Any:
        session = self.client._line.session
        assert session is not None
        return session.lane

    def take(self) -> str | bytes:
        return self.got.get(timeout=PATIENCE)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.client.disconnect()


def message(size: int, kind: type) -> Any:
    pattern = "".join(chr(33 + number % 90) for number in range(size))
    return pattern if kind is str else pattern.encode()


@compiled_only
@pytest.mark.parametrize("sent", ["a", b"a", "", b"", "x" * 16384, b"x" * 16385, "x" * 65535])
def test_what_goes_it(server: EchoServer, sent: str | bytes) -> None:
    with Client(server.url) as one:
        assert one.lane.send(sent) is True
        assert one.take() == sent


@compiled_only
@pytest.mark.parametrize("shared", [False, True])
def test_what_comes_goes_it(server: EchoServer, shared: bool) -> None:
    """On a client's own reactor, too, and on the one of all plain connections."""
    with Client(server.url, reactor=tieline.Reactor() if shared else None) as one:
        assert one.lane.may_serve
    with tieline.connect(server.url) as plain:
        plain.send("a")
        assert plain.recv() == "a"  # whoever asks drives from now on
        plain.send("b")
        asks_the_lane = plain._line.session.lane.recv
        deadline = time.monotonic() + PATIENCE
        while (got := asks_the_lane()) is None:
            assert time.monotonic() < deadline
        assert got == "b"


@pytest.mark.parametrize(
    "sent", ["é", bytearray(b"a"), memoryview(b"a"), ["a", "b"], b"x" * 65536, 3, None]
)
def test_what_does_not(server: EchoServer, sent: Any) -> None:
    with Client(server.url) as one:
        assert one.lane.send(sent) is False
        assert one.client.stats().messages_sent == 0


@pytest.mark.parametrize(
    "options",
    [
        {"offline": "queue", "reconnect": True},
        {"on_event": lambda event: None, "frame_events": True},
        {"slow_send": 10.0},
    ],
)
def test_sends_that_somebody_follows_do_not(server: EchoServer, options: Any) -> None:
    with Client(server.url, **options) as one:
        assert one.lane.send("a") is False
        one.client.send("a")
        assert one.take() == "a"


def test_there_is_none_over_tls_and_in_the_pure_build() -> None:
    assert NO_LANE.send("a") is False and NO_LANE.recv() is None
    messages = ["a"]
    NO_LANE.send_run(messages)
    assert messages == ["a"] and not NO_LANE.read(None)
    closed: list[bool] = []
    NO_LANE.close_descriptor(lambda: closed.append(True))
    assert closed == [True] and NO_LANE.serve(None, (), 0.0, True) and not NO_LANE.may_serve


@compiled_only
@pytest.mark.parametrize("size", [9, 10, 11])
def test_what_is_to_be_compressed_does_not(size: int) -> None:
    with EchoServer(compression=tieline.Deflate()) as server:
        with Client(server.url, compression=tieline.Deflate(threshold=10)) as one:
            assert one.lane.send("x" * size) is (size < 10)
        with Client(server.url, compression=tieline.Deflate(threshold=0)) as one:
            assert one.lane.send("") is False and one.lane.send("x" * size) is False


@pytest.mark.parametrize("kind", [str, bytes])
def test_the_same_bytes_and_the_same_counts(server: EchoServer, kind: type) -> None:
    sent = [message(size, kind) for size in SIZES]
    with Client(server.url) as one:
        before = one.client.stats()
        for each in sent:
            one.client.send(each)
        assert [one.take() for _ in sent] == sent
        stats = one.client.stats()
    assert stats.messages_sent == stats.messages_received == len(SIZES)
    assert stats.payload_bytes_sent == stats.payload_bytes_received == sum(SIZES)
    headers = sum(2 if size < 126 else 4 if size < 65536 else 10 for size in SIZES)
    assert stats.wire_bytes_received - before.wire_bytes_received == sum(SIZES) + headers
    masks = 4 * len(SIZES)
    assert stats.wire_bytes_sent - before.wire_bytes_sent == sum(SIZES) + headers + masks
    assert stats.receive_seconds > 0


@pytest.mark.parametrize("kind", [str, bytes])
def test_round_trips_of_a_plain_connection(plain: tieline.sync.Connection, kind: type) -> None:
    for size in SIZES * 3:
        plain.send(message(size, kind))
        assert plain.recv() == message(size, kind)


def test_every_key_is_fresh(scripted: Any) -> None:
    keys: list[bytes] = []
    count = 2000  # more than one pool of them

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        data = b""
        while len(data) < count * 7:
            data += peer.socket.recv(1 << 16)
        keys.extend(data[start + 2 : start + 6] for start in range(0, count * 7, 7))

    with Client(scripted(script).url) as one:
        for _ in range(count):
            one.client.send("a")
    assert len(set(keys)) > count - 5


@pytest.fixture
def scripted() -> Iterator[Callable[[Any], ScriptedServer]]:
    servers: list[ScriptedServer] = []

    def start(*scripts: Any) -> ScriptedServer:
        servers.append(ScriptedServer(*scripts, timeout=PATIENCE))
        return servers[-1].__enter__()

    yield start
    for each in servers:
        each.__exit__(None, None, None)


@pytest.mark.parametrize("size", [8000, 60_000])
def test_a_peer_that_stops_reading_and_goes_on(scripted: Any, size: int) -> None:
    """What the kernel does not take waits, in order; above the limit senders do."""
    full = threading.Event()
    numbers: list[int] = []

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        assert full.wait(PATIENCE)
        while True:
            frame = peer.receive_frame()
            if frame.payload == b"end":
                return
            numbers.append(int(frame.payload[:8]))

    with Client(scripted(script).url, timeout=0.2) as one:
        sent = 0
        with pytest.raises(tieline.SendTimeout):
            for sent in itertools.count():
                one.client.send(b"%08d" % sent + b"x" * size)
        full.set()
        for _ in range(100):  # of 0.2 s each
            try:
                one.client.send(b"end")
                break
            except tieline.SendTimeout:
                continue
        one.client.wait(PATIENCE)
    assert numbers == list(range(len(numbers))) and len(numbers) in (sent, sent + 1)


def test_a_broken_line_is_told_of_once(scripted: Any) -> None:
    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.reset()

    infos: list[tieline.CloseInfo] = []
    with Client(scripted(script).url, on_close=infos.append) as one:
        with pytest.raises(tieline.ConnectionClosed):
            while True:
                one.client.send("a")
        assert one.client.wait(PATIENCE).code == 1006
    assert [info.code for info in infos] == [1006]


def test_answers_of_a_run_stay_in_order(server: EchoServer) -> None:
    """Small and big ones, Pings and fragments: gathered or not, nothing overtakes anything."""
    answers: list[Any] = ["short", b"y" * 20_000, "also", "x" * 70_000, b"", ["frag", "ments"], "é"]
    wanted = [part if not isinstance(part, list) else "".join(part) for part in answers]
    done = threading.Event()
    got: list[Any] = []

    def on_message(incoming: Any) -> None:
        if isinstance(incoming, str) and incoming.startswith("go"):
            for answer in answers:
                one.client.send(answer)
            one.client.ping(b"p")
        else:
            got.append(incoming)
            if len(got) == 20 * len(answers):
                done.set()

    with Client(server.url, on_message=on_message) as one:
        for number in range(20):
            one.client.send(f"go{number}")
        assert done.wait(PATIENCE)
    assert got == wanted * 20


def test_a_handler_that_sends_too_much_is_told(scripted: Any) -> None:
    raised: list[BaseException] = []
    done = threading.Event()

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.socket.sendall(b"\x81\x01a" * 2)
        done.wait(PATIENCE)

    def on_message(incoming: Any) -> None:
        try:
            while True:
                one.client.send(b"x" * 1000)
        except tieline.SendBufferFull as error:
            raised.append(error)
            if len(raised) == 2:
                done.set()

    ready = threading.Event()

    def when_ready(incoming: Any) -> None:
        assert ready.wait(PATIENCE)
        on_message(incoming)

    with Client(scripted(script).url, on_message=when_ready, write_limit=65536) as one:
        ready.set()
        assert done.wait(PATIENCE)
        assert len(raised) == 2
        one.client.disconnect(timeout=0.1)


def test_handlers_that_raise_miss_nothing(server: EchoServer) -> None:
    got: list[Any] = []
    errors: list[Any] = []
    done = threading.Event()

    def on_message(incoming: Any) -> None:
        got.append(incoming)
        if len(got) == 100:
            done.set()
        raise ValueError(incoming)

    with Client(server.url, on_message=on_message, on_error=errors.append) as one:
        for number in range(100):
            one.client.send(str(number))
        assert done.wait(PATIENCE)
    assert got == [str(number) for number in range(100)]
    assert [str(error) for error in errors] == got


def test_many_threads_send_while_messages_come(server: EchoServer) -> None:
    threads, count = 6, 400
    with Client(server.url) as one:

        def send(name: int) -> None:
            for number in range(count):
                one.client.send(f"{name} {number}")

        senders = [threading.Thread(target=send, args=(name,)) for name in range(threads)]
        for sender in senders:
            sender.start()
        got = [str(one.take()).split() for _ in range(threads * count)]
        for sender in senders:
            sender.join(PATIENCE)
    for name in range(threads):
        assert [int(n) for by, n in got if by == str(name)] == list(range(count))


def test_many_threads_receive_each_message_once(plain: tieline.sync.Connection) -> None:
    threads, count = 4, 2000
    lists: list[list[int]] = [[] for _ in range(threads)]

    def receive(mine: list[int]) -> None:
        while (got := plain.recv()) != "end":
            mine.append(int(got))

    receivers = [threading.Thread(target=receive, args=(mine,)) for mine in lists]
    for receiver in receivers:
        receiver.start()
    for number in range(count):
        plain.send(str(number))
    for _ in receivers:
        plain.send("end")
    for receiver in receivers:
        receiver.join(PATIENCE)
        assert not receiver.is_alive()
    assert sorted(itertools.chain(*lists)) == list(range(count))
    assert all(mine == sorted(mine) for mine in lists)


def test_a_receiver_that_waits_learns_of_a_close(plain: tieline.sync.Connection) -> None:
    told: list[BaseException] = []
    waits = threading.Event()

    def receive() -> None:
        try:
            while True:
                plain.recv()
                waits.set()
        except tieline.ConnectionClosed as error:
            told.append(error)

    receiver = threading.Thread(target=receive)
    receiver.start()
    plain.send("a")
    assert waits.wait(PATIENCE)
    plain.close()
    receiver.join(PATIENCE)
    assert not receiver.is_alive() and len(told) == 1


def test_a_descriptor_is_not_closed_below_who_waits_on_it(scripted: Any) -> None:
    """Dropped while a thread is in the call: it ends at once, and reads from nothing else."""
    released = threading.Event()

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.send_text("a")
        released.wait(PATIENCE)

    for _ in range(10):
        connection = tieline.connect(scripted(script).url, proxy=None, close_timeout=0.05)
        assert connection.recv() == "a"
        ended = threading.Event()

        def receive(connection: Any = connection, ended: Any = ended) -> None:
            with pytest.raises(tieline.ConnectionClosed):
                connection.recv()
            ended.set()

        receiver = threading.Thread(target=receive)
        receiver.start()
        connection.close()
        assert ended.wait(PATIENCE)
        receiver.join(PATIENCE)
    released.set()


def test_what_one_read_brings_is_here_whole(scripted: Any) -> None:
    """A burst of more than `max_queue`, with a Ping within it: in order, and the Pong goes out."""
    count = 5000

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        frames = [b"\x82\x04%04d" % number for number in range(count)]
        frames[count // 2 : count // 2] = [b"\x89\x01p"]
        peer.socket.sendall(b"".join(frames))
        assert peer.receive_frame().payload == b"p"
        peer.finish()

    with tieline.connect(scripted(script).url, proxy=None, max_queue=64) as connection:
        assert [int(each) for each in connection] == list(range(count))
        assert connection.stats().pings_received == 1


def test_what_waits_behind_a_run_is_served_when_nobody_receives(scripted: Any) -> None:
    """More than one run, and a Ping behind it: the reactor goes on where `recv` has stopped."""
    count = 700
    answered = threading.Event()

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        frames = b"".join(b"\x82\x04%04d" % number for number in range(count))
        peer.socket.sendall(frames + b"\x89\x01p")
        assert peer.receive_frame().payload == b"p"
        answered.set()
        peer.finish()

    with tieline.connect(scripted(script).url, proxy=None) as connection:
        assert connection.recv() == b"0000"
        assert answered.wait(PATIENCE)
        assert [int(each) for each in connection] == list(range(1, count))


def test_many_threads_share_what_waits_behind_a_run(scripted: Any) -> None:
    count = 20_000

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.socket.sendall(b"".join(b"\x82\x05%05d" % number for number in range(count)))
        peer.finish()

    got: list[list[int]] = [[] for _ in range(4)]
    with tieline.connect(scripted(script).url, proxy=None) as connection:

        def receive(mine: list[int]) -> None:
            for number, message in enumerate(connection):
                mine.append(int(message))
                if not number % 100:
                    connection.stats()  # lets others come first now and then

        threads = [threading.Thread(target=receive, args=(mine,)) for mine in got]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
    assert all(mine == sorted(mine) for mine in got)
    assert sorted(itertools.chain(*got)) == list(range(count))


def test_who_waits_beside_a_slow_handler_is_told_of_messages(
    scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that drives runs it: what it has read before is for others meanwhile."""
    monkeypatch.setattr(receiving, "SLICE", PATIENCE)  # who waits does not look by itself
    rounds = 50

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        for _ in range(rounds):
            peer.socket.sendall(b"\x82\x01a\x82\x01b\x89\x01p")
            assert peer.receive_frame().payload == b"p"
        peer.finish()

    got: list[str | bytes] = []
    came = threading.Condition()
    in_time: list[bool] = []

    def on_ping(data: bytes) -> None:
        # One of the two is this thread's own, which it gets when this returns.
        expected = 2 * len(in_time) + 1
        with came:
            in_time.append(came.wait_for(lambda: len(got) >= expected, PATIENCE / 4))

    url = scripted(script).url
    with tieline.connect(url, proxy=None, compression=None, on_ping=on_ping) as connection:

        def receive() -> None:
            for message in connection:
                with came:
                    got.append(message)
                    came.notify()

        threads = [threading.Thread(target=receive) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(2 * PATIENCE)
            assert not thread.is_alive()
    assert sorted(got) == [b"a"] * rounds + [b"b"] * rounds
    assert in_time == [True] * rounds


def test_a_close_in_front_of_what_waits_behind_a_run(scripted: Any) -> None:
    """What was read before is kept up to `max_queue`, and the rest is counted."""
    count = 5000

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.socket.sendall(b"".join(b"\x82\x04%04d" % number for number in range(count)))
        peer.finish()

    with tieline.connect(scripted(script).url, proxy=None, max_queue=600) as connection:
        assert connection.recv() == b"0000"
        connection.close()
        kept = []
        with pytest.raises(tieline.ConnectionClosed):
            while True:
                kept.append(int(connection.recv()))
        assert kept == list(range(1, len(kept) + 1))
        assert len(kept) + connection.stats().dropped + 1 == count


@pytest.mark.parametrize("how", ["reconnect", "fail"])
def test_an_end_takes_nothing_from_what_waits_behind_a_run(scripted: Any, how: str) -> None:
    count = 900

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.expect_text("go")  # so that one read brings them all, and none comes with the answer
        peer.socket.sendall(b"".join(b"\x82\x04%04d" % number for number in range(count)))
        if how == "reconnect":
            peer.finish()
        else:
            peer.hold()  # there will be no Close from a connection that has failed

    def silent(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.finish()

    scripts = [script, silent] if how == "reconnect" else [script]
    with tieline.connect(scripted(*scripts).url, proxy=None) as connection:
        connection.send("go")
        assert connection.recv() == b"0000"
        session = connection._line.session
        assert session is not None
        got = []
        if how == "reconnect":
            connection.reconnect()
            got = [int(connection.recv()) for _ in range(count - 1)]
        else:
            session.fail(OSError("gone"))
            with pytest.raises(tieline.ConnectionClosed):
                while True:
                    got.append(int(connection.recv()))
    assert got == list(range(1, count))


@compiled_only
def test_what_a_thread_keeps_does_not_outlive_it_in_an_idle_connection(server: EchoServer) -> None:
    kept: list[Any] = []

    def talk() -> None:
        for _ in range(3):
            connection.send(b"a")
            connection.recv()
        kept.append(spares_of_thread.buffers)

    with tieline.connect(server.url, proxy=None, compression=None) as connection:
        thread = threading.Thread(target=talk)
        thread.start()
        thread.join(PATIENCE)
        # Nobody asks for messages any more, and the reactor takes the descriptor back.
        wait_until(lambda: sys.getrefcount(kept[0]) == 2)
        connection.send(b"b")
        assert connection.recv() == b"b"


def test_buffers_do_not_pile_up_where_another_thread_goes_on(scripted: Any) -> None:
    rounds = 20

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        for _ in range(rounds):
            peer.socket.sendall(b"\x82\x01x" * 1500)
            assert peer.receive_frame().payload == b"next"
        peer.finish()

    buffers: list[int] = []
    first, second = queue.SimpleQueue[object](), queue.SimpleQueue[object]()

    def receive(wait: Any, go: Any, messages: int) -> None:
        while wait.get(timeout=PATIENCE) is not None:
            for _ in range(messages):
                connection.recv()
            buffers.append(len(spares_of_thread.buffers))
            go.put(True)

    with tieline.connect(scripted(script).url, proxy=None) as connection:
        done: queue.SimpleQueue[object] = queue.SimpleQueue()
        threads = [
            threading.Thread(target=receive, args=(first, second, 1)),
            threading.Thread(target=receive, args=(second, done, 1499)),
        ]
        for thread in threads:
            thread.start()
        for _ in range(rounds):
            first.put(True)
            assert done.get(timeout=PATIENCE)
            connection.send(b"next")
        for waiting in (first, second):
            waiting.put(None)
        for thread in threads:
            thread.join(PATIENCE)
    assert max(buffers) <= 2


def test_a_ping_behind_a_message_is_answered_when_nobody_receives(scripted: Any) -> None:
    answered = threading.Event()

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.socket.sendall(b"\x81\x01a\x89\x01p")
        assert peer.receive_frame().payload == b"p"
        answered.set()
        peer.receive_frame()

    with tieline.connect(scripted(script).url, proxy=None) as connection:
        assert connection.recv() == "a"
        assert answered.wait(PATIENCE)


def test_messages_before_a_broken_rule_can_be_answered(scripted: Any) -> None:
    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.socket.sendall(b"\x81\x01a\xf1\x00")
        assert peer.receive_frame().payload == b"answer"
        assert peer.receive_frame().opcode == tieline.Opcode.CLOSE

    with tieline.connect(scripted(script).url, proxy=None) as connection:
        assert connection.recv() == "a"
        connection.send("answer")
        with pytest.raises(tieline.ConnectionClosed) as raised:
            connection.recv()
    assert raised.value.close_info is not None and raised.value.close_info.code == 1006


@pytest.mark.parametrize("control", [b"\x89\x01p", b"\x88\x02\x03\xe8"], ids=["ping", "close"])
def test_a_control_frame_behind_a_chunk(scripted: Any, control: bytes) -> None:
    """After `recv_stream` the beginning of a message is told of, and then what is behind it."""
    answers: list[tieline.Opcode] = []

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.send_text("first")
        peer.expect_text("go on")
        peer.socket.sendall(b"\x01\x02be" + control)
        answers.append(peer.receive_frame().opcode)
        if control[0] == 0x89:
            peer.socket.sendall(b"\x80\x03end")
            peer.finish()

    with tieline.connect(scripted(script).url, proxy=None) as connection:
        assert "".join(map(str, connection.recv_stream())) == "first"
        connection.send("go on")
        if control[0] == 0x89:
            assert connection.recv() == "beend"
            assert answers == [tieline.Opcode.PONG]
        with pytest.raises(tieline.ConnectionClosed) as raised:
            connection.recv()
    assert raised.value.close_info is not None and raised.value.close_info.code == 1000


def test_what_waits_is_written_beside_a_flood(scripted: Any) -> None:
    """A peer that sends without a pause, and reads: both ways go on, however slow the handler."""
    size, enough = 8 * 1024 * 1024, threading.Event()

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.socket.setblocking(True)
        stop = threading.Event()

        def flood() -> None:
            while not stop.is_set():
                try:
                    peer.socket.sendall(b"\x82\x7e\x10\x00" + bytes(4096))
                except OSError:
                    return

        flooding = threading.Thread(target=flood)
        flooding.start()
        try:
            missing = size
            while missing > 0:
                missing -= len(peer.socket.recv(1 << 20))
            enough.set()
        finally:
            stop.set()
            flooding.join(PATIENCE)
            peer.reset()

    pause = threading.Event()
    with Client(scripted(script).url, on_message=lambda message: pause.wait(0.001)) as one:
        one.client.send(bytes(size))
        assert enough.wait(PATIENCE)


def test_a_signal_handlers_message_comes_behind_the_last_fragment(
    plain: tieline.sync.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while that is being put into the buffer."""
    length = BigFrame.__len__
    armed = [True]

    def with_signal(frame: BigFrame) -> int:
        if armed and armed.pop():
            plain.send("on top")
        return length(frame)

    plain.send_frame(b"a", tieline.Opcode.BINARY, fin=False)
    monkeypatch.setattr(BigFrame, "__len__", with_signal)
    plain.send_frame(bytes(BIG), tieline.Opcode.CONTINUATION, fin=True)
    monkeypatch.undo()
    assert [plain.recv(), plain.recv()] == [b"a" + bytes(BIG), "on top"]


class Alarm(Exception):
    """Raised by a signal's handler."""


@pytest.fixture
def alarm() -> Iterator[list[Callable[[], object]]]:
    """What a signal's handler calls before it raises `Alarm`."""
    first: list[Callable[[], object]] = []

    def ring(*_: object) -> None:
        for call in first:
            call()
        raise Alarm

    before = signal.signal(signal.SIGINT, ring)
    try:
        yield first
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("alarm")
def test_what_a_signal_handler_raises_takes_no_message_along(scripted: Any) -> None:
    """The signal is pending when the message comes for which `recv` waits."""
    rounds = 200
    wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()
    got, alarms = [], 0

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        for number in range(rounds):
            assert wanted.get(timeout=PATIENCE)
            # Handled by the main thread, which this does not wake.
            signal.raise_signal(signal.SIGINT)
            peer.send_text(str(number))
        peer.finish()

    with tieline.connect(scripted(script).url, proxy=None) as connection:
        with pytest.raises(TimeoutError):
            connection.recv(0.001)  # what it waits with is made now, not under fire
        for _ in range(rounds):
            try:
                wanted.put(True)
                got.append(connection.recv())
            except Alarm:
                alarms += 1
                got.append(connection.recv(PATIENCE))
    assert got == [str(number) for number in range(rounds)]
    assert alarms == rounds


def test_while_a_signal_handler_runs_other_threads_get_messages_in_order(
    scripted: Any, alarm: list[Callable[[], object]]
) -> None:
    """The first one too, for which the interrupted `recv` has waited."""
    rounds = 50
    wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()
    got: list[str | bytes] = []

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        for number in range(rounds):
            assert wanted.get(timeout=PATIENCE)
            signal.raise_signal(signal.SIGINT)
            peer.send_text(f"{number} first")
            peer.send_text(f"{number} second")
        peer.finish()

    with tieline.connect(scripted(script).url, proxy=None) as connection:
        with pytest.raises(TimeoutError):
            connection.recv(0.001)  # as above
        for _ in range(rounds):
            other = threading.Thread(target=lambda: got.append(connection.recv()))

            def receive_beside(other: threading.Thread = other) -> None:
                other.start()
                other.join(0.01)  # where the interrupted call reads, it waits for that one

            alarm[:] = [receive_beside]
            with pytest.raises(Alarm):
                wanted.put(True)
                connection.recv()
            other.join(PATIENCE)
            got.append(connection.recv(PATIENCE))
    assert got == [f"{number} {which}" for number in range(rounds) for which in ("first", "second")]


@compiled_only
def test_none_is_made_without_a_sender() -> None:
    lanes = pytest.importorskip("tieline.engine._send_lane")
    with pytest.raises(TypeError, match="sender"):
        lanes.SendLane(3, None, None, True)
