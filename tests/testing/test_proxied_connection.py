"""What one fault does to a real connection, seen from both of its ends."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tieline.testing import FaultProxy, ProxiedConnection, faults
from tieline.testing.faults import Fault
from tieline.testing.listening import bind, listen

#: Seconds after which something that should have happened long ago will not happen any more.
PATIENCE = 20.0


class Ends:
    """A client's socket, and the server's that the proxy has connected it with."""

    def __init__(self, stack: ExitStack, fault: Fault) -> None:
        self._stack = stack
        self._listener = stack.enter_context(listen("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE)
        port = self._listener.getsockname()[1]
        self.proxy = stack.enter_context(FaultProxy(f"ws://127.0.0.1:{port}/", fault))
        dialled = socket.create_connection(("127.0.0.1", self.proxy.port), PATIENCE)
        self.client = stack.enter_context(dialled)

    def accept(self) -> socket.socket:
        server = self._stack.enter_context(self._listener.accept()[0])
        server.settimeout(PATIENCE)
        return server

    @property
    def connection(self) -> ProxiedConnection:
        return self.proxy.wait_for(lambda: self.proxy.connections, PATIENCE)[0]

    def struck(self) -> ProxiedConnection:
        self.proxy.wait_for(lambda: self.connection.has_struck, PATIENCE)
        return self.connection

    def ended(self) -> ProxiedConnection:
        self.proxy.wait_for(lambda: not self.connection.is_open, PATIENCE)
        return self.connection


@pytest.fixture
def ends() -> Iterator[Callable[[Fault], Ends]]:
    with ExitStack() as stack:
        yield lambda fault=faults.PASS: Ends(stack, fault)


def receive(end: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = end.recv(count - len(data))
        assert piece, f"ended after {data!r}"
        data += piece
    return data


def nothing_comes(end: socket.socket) -> None:
    end.setblocking(False)
    with pytest.raises(BlockingIOError):
        end.recv(1)
    end.settimeout(PATIENCE)


def dial_and_see_the_reset(port: int) -> None:
    """In the dial itself, when the proxy is quicker than the return from it."""
    with pytest.raises(ConnectionResetError):
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
            client.recv(1)


def test_bytes_pass_both_ways_and_are_counted(ends: Callable[..., Ends]) -> None:
    two = ends()
    server = two.accept()
    two.client.sendall(b"question")
    assert receive(server, 8) == b"question"
    server.sendall(b"answer!")
    assert receive(two.client, 7) == b"answer!"
    assert (two.connection.to_server.passed, two.connection.to_client.passed) == (8, 7)
    assert two.connection.is_open and not two.connection.has_struck
    assert "ProxiedConnection 1 open" in repr(two.connection)


def test_the_end_passes_too(ends: Callable[..., Ends]) -> None:
    two = ends()
    server = two.accept()
    two.client.sendall(b"last words")
    two.client.shutdown(socket.SHUT_WR)
    assert receive(server, 10) == b"last words" and server.recv(1) == b""
    server.sendall(b"farewell")
    server.close()
    assert receive(two.client, 8) == b"farewell" and two.client.recv(1) == b""
    connection = two.ended()
    assert connection.ended_at is not None
    assert connection.accepted_at <= connection.ended_at
    assert "ended" in repr(connection)


@pytest.mark.parametrize("from_server", [False, True], ids=["client", "server"])
def test_a_reset_passes_too(ends: Callable[..., Ends], from_server: bool) -> None:
    two = ends()
    server = two.accept()
    near, far = (server, two.client) if from_server else (two.client, server)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    near.close()
    with pytest.raises(ConnectionResetError):
        far.recv(1)
    assert isinstance(two.ended().server_error, ConnectionResetError) is from_server


def test_a_server_that_is_not_there() -> None:
    with bind("127.0.0.1", 0) as nobody:
        with FaultProxy(f"ws://127.0.0.1:{nobody.getsockname()[1]}") as proxy:
            dial_and_see_the_reset(proxy.port)
            proxy.wait_for(lambda: not proxy.connections[0].is_open, PATIENCE)
            assert isinstance(proxy.connections[0].server_error, ConnectionRefusedError)


def test_more_than_the_kernel_holds_passes(ends: Callable[..., Ends]) -> None:
    two = ends()
    server = two.accept()
    total = 30_000_000
    two.client.setblocking(False)
    sent = received = 0
    while received < total:  # nobody waits for the other: whatever is taken is given on
        try:
            sent += two.client.send(bytes(min(1_000_000, total - sent))) if sent < total else 0
        except BlockingIOError:
            pass
        received += len(server.recv(1_000_000))
    assert two.connection.to_server.passed == total


# --- the ends of a line


def test_reset_at_once_without_a_server() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with FaultProxy(f"ws://127.0.0.1:{port}", faults.reset()) as proxy:
            dial_and_see_the_reset(proxy.port)
            assert proxy.connections[0].has_struck
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize("fault", [faults.reset(4), faults.reset(1, past=b"ans")], ids=str)
def test_reset_in_the_middle(ends: Callable[..., Ends], fault: Fault) -> None:
    two = ends(fault)
    server = two.accept()
    server.sendall(b"answer")
    assert receive(two.client, 4) == b"answ"
    for end in (two.client, server):
        with pytest.raises(ConnectionResetError):
            end.recv(1)
    assert (two.ended().to_client.passed, two.connection.to_client.lost) == (4, 2)
    assert two.connection.has_struck


def test_a_host_that_was_restarted_answers_with_a_reset(ends: Callable[..., Ends]) -> None:
    two = ends(faults.PASS)
    server = two.accept()
    server.sendall(b"before")
    assert receive(two.client, 6) == b"before"
    two.connection.strike(faults.reset(1, direction="to_server"))
    nothing_comes(two.client)
    two.client.sendall(b"after")
    with pytest.raises(ConnectionResetError):
        two.client.recv(1)
    two.ended()


def test_cut(ends: Callable[..., Ends]) -> None:
    two = ends(faults.cut(3))
    server = two.accept()
    two.client.sendall(b"these bytes make no reset of it")
    server.sendall(b"answer")
    assert receive(two.client, 4 - 1) == b"ans" and two.client.recv(1) == b""
    while server.recv(100):
        pass
    assert two.connection.is_open, "it waits for both to close as well"
    server.close()
    two.client.close()
    two.ended()


def test_cut_at_once(ends: Callable[..., Ends]) -> None:
    two = ends(faults.cut())
    assert two.client.recv(1) == b""
    two.client.close()
    two.ended()


def test_half_close(ends: Callable[..., Ends]) -> None:
    two = ends(faults.half_close(2))
    server = two.accept()
    server.sendall(b"answer")
    assert receive(two.client, 2) == b"an" and two.client.recv(1) == b""
    two.client.sendall(b"are you there?")
    assert receive(server, 14) == b"are you there?"
    two.client.close()
    assert server.recv(1) == b""
    server.close()
    assert two.ended().to_client.lost == 4


# --- what stays open


def test_hang_is_a_dial_that_nobody_serves(ends: Callable[..., Ends]) -> None:
    two = ends(faults.HANG)
    two.client.sendall(b"hello?")
    two.struck()
    nothing_comes(two.client)
    assert two.connection.to_server.passed == 0
    two.connection.strike(faults.PASS)
    assert receive(two.accept(), 6) == b"hello?", "it was kept"


def test_a_stalled_line_takes_no_more(ends: Callable[..., Ends]) -> None:
    two = ends(faults.stall(direction="to_server"))
    server = two.accept()
    two.client.settimeout(0.05)
    with pytest.raises(TimeoutError):
        while True:
            two.client.sendall(bytes(1_000_000))
    server.sendall(b"the other way")
    assert receive(two.client, 13) == b"the other way"


def test_black_hole(ends: Callable[..., Ends]) -> None:
    two = ends(faults.black_hole(3))
    server = two.accept()
    server.sendall(b"answer")
    assert receive(two.client, 3) == b"ans"
    two.client.sendall(b"anybody?")
    assert receive(server, 3) == b"any"
    two.proxy.wait_for(lambda: two.connection.to_server.lost == 5, PATIENCE)
    two.client.sendall(b"!" * 1000)
    two.proxy.wait_for(lambda: two.connection.to_server.lost == 1005, PATIENCE)
    nothing_comes(server)
    nothing_comes(two.client)


def test_a_black_hole_takes_fin_and_rst(ends: Callable[..., Ends]) -> None:
    two = ends(faults.PASS)
    server = two.accept()
    server.sendall(b"x")
    assert receive(two.client, 1) == b"x"
    two.proxy.strike(faults.black_hole())
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    server.close()
    two.proxy.wait_for(lambda: two.connection.server_error, PATIENCE)
    two.client.shutdown(socket.SHUT_WR)
    nothing_comes(two.client)
    assert two.connection.is_open
    two.connection.close()
    assert not two.connection.is_open
    assert two.client.recv(1) == b""


def test_a_black_hole_in_one_direction(ends: Callable[..., Ends]) -> None:
    two = ends(faults.black_hole(direction="to_client"))
    server = two.accept()
    server.sendall(b"lost")
    two.proxy.wait_for(lambda: two.connection.to_client.lost == 4, PATIENCE)
    two.client.sendall(b"arrives")
    assert receive(server, 7) == b"arrives"
    nothing_comes(two.client)


def test_garbage_stands_in_the_place_of_what_was_sent(ends: Callable[..., Ends]) -> None:
    two = ends(faults.garbage(b"\xff\xff", 3))
    server = two.accept()
    server.sendall(b"answer")
    assert receive(two.client, 5) == b"ans\xff\xff"
    server.sendall(b"more")
    two.proxy.wait_for(lambda: two.connection.to_client.lost == 7, PATIENCE)
    server.close()
    assert two.client.recv(1) == b""


# --- slow lines


def test_drops_with_an_interval(ends: Callable[..., Ends]) -> None:
    two = ends(faults.drip(2, 0.001))
    server = two.accept()
    server.sendall(b"answer" * 10)
    assert receive(two.client, 60) == b"answer" * 10


def test_drops_when_the_test_says_so(ends: Callable[..., Ends]) -> None:
    two = ends(faults.drip(direction="to_client"))
    server = two.accept()
    server.sendall(b"answer")
    two.client.sendall(b"question")
    assert receive(server, 8) == b"question"
    nothing_comes(two.client)
    two.connection.let_through(2)
    assert receive(two.client, 2) == b"an"
    nothing_comes(two.client)
    two.connection.let_through(100)
    assert receive(two.client, 4) == b"swer"


def test_the_last_drops_come_before_the_end(ends: Callable[..., Ends]) -> None:
    two = ends(faults.drip(1, 0.001))
    server = two.accept()
    server.sendall(b"answer")
    server.close()
    assert receive(two.client, 6) == b"answer" and two.client.recv(1) == b""


def test_a_connection_cannot_be_refused_any_more(ends: Callable[..., Ends]) -> None:
    with pytest.raises(ValueError, match="refuse"):
        ends().connection.strike(faults.REFUSE)
