"""What every stream promises, held by plain and TLS streams alike."""

from __future__ import annotations

import os
import select
import socket

import pytest

from tests.transport.stream_ends import (
    PIECE,
    PlainPeer,
    next_piece,
    receive,
    receive_all,
    secure,
)
from tieline.transport.stream import SocketStream, lowest


@pytest.fixture(params=["plain", "tls"])
def ends(request, pair, server_context, ca_pem):
    """A stream, and its peer."""
    if request.param == "plain":
        return SocketStream(pair[0]), PlainPeer(pair[1])
    return secure(pair, server_context, ca_pem)


def test_the_lowest_stream_is_the_sockets(ends):
    stream, _ = ends
    below = lowest(stream)
    assert isinstance(below, SocketStream)
    assert below.fileno() == stream.fileno()
    assert lowest(below) is below


def test_bytes_go_both_ways(ends):
    stream, peer = ends
    assert stream.send(b"hello") == 5
    assert stream.flush()
    assert peer.recv() == b"hello"
    peer.sendall(b"world")
    assert receive_all(stream, 5) == b"world"


def test_nothing_to_read_is_none(ends):
    stream, _ = ends
    for _ in range(3):
        assert receive(stream) is None
        assert not stream.has_buffered_input


def test_small_buffers_lose_nothing(ends):
    stream, peer = ends
    peer.sendall(b"abcdefghij")
    assert [next_piece(stream, 3) for _ in range(4)] == [b"abc", b"def", b"ghi", b"j"]
    assert receive(stream, 3) is None


def test_a_full_pipe_takes_no_more(ends):
    stream, peer = ends
    block = os.urandom(1 << 20)
    taken = []
    for _ in range(200):
        count = stream.send(block)
        taken.append(block[:count])
        if count < len(block):
            break
    assert stream.send(block) == 0
    expected = b"".join(taken)
    received = peer.recv()
    for _ in range(10_000):
        if len(received) == len(expected):
            break
        stream.flush()
        received += peer.recv()
    assert received == expected
    assert stream.flush() and not stream.has_pending_output
    assert stream.send(b"more") == 4


def test_an_empty_buffer_is_refused(ends):
    with pytest.raises(ValueError, match="empty"):
        ends[0].receive_into(memoryview(b""))


def test_sending_nothing(ends):
    assert ends[0].send(b"") == 0


def test_end_of_stream(ends, pair):
    stream, peer = ends
    peer.sendall(b"last")
    pair[1].shutdown(socket.SHUT_WR)
    assert receive_all(stream, 4) == b"last"
    for _ in range(3):
        assert next_piece(stream) == b""


def test_shutdown_write_and_read_on(ends, pair):
    stream, peer = ends
    stream.send(b"bye")
    stream.shutdown_write()
    stream.shutdown_write()
    assert peer_received_then_end(peer, pair[1]) == b"bye"
    peer.sendall(b"answer")
    assert receive_all(stream, 6) == b"answer"


def peer_received_then_end(peer, far):
    if isinstance(peer, PlainPeer):
        received = b""
        while piece := far.recv(PIECE):
            received += piece
        return received
    ciphertext = b""
    while piece := far.recv(PIECE):
        ciphertext += piece
    peer._incoming.write(ciphertext)
    peer._incoming.write_eof()
    received = peer._session.read(PIECE)
    assert peer._session.read(PIECE) == b""  # an end without close_notify would raise
    return received


def test_shutdown_write_does_not_wait_for_a_full_pipe(ends):
    stream, _ = ends
    block = bytes(1 << 20)
    while stream.send(block) == len(block):
        pass
    stream.shutdown_write()


def test_a_reset_before_the_stream_was_made(pair):
    reset(pair[1])
    assert select.select([pair[0]], [], [], 5)[0]
    stream = SocketStream(pair[0])
    assert stream.peer is None
    with pytest.raises(ConnectionResetError):
        receive(stream)


def test_a_reset_is_an_error(ends, pair):
    stream, peer = ends
    peer.sendall(b"before")
    assert receive_all(stream, 6) == b"before"
    reset(pair[1])
    with pytest.raises(ConnectionError):
        next_piece(stream)


def reset(connected):
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connected.close()


def test_close_is_idempotent(ends):
    stream, _ = ends
    stream.close()
    stream.close()
    stream.shutdown_write()
    assert stream.fileno() == -1
    with pytest.raises(OSError):
        receive(stream)


def test_addresses(ends, pair):
    stream, _ = ends
    assert stream.peer == pair[1].getsockname()
    assert stream.local == pair[1].getpeername()


def test_detach_after_fork_sends_nothing(ends, pair):
    stream, peer = ends
    with pair[0].dup():  # the parent's descriptor, so to speak
        stream.detach_after_fork()
        assert stream.fileno() == -1
        pair[1].setblocking(False)
        with pytest.raises(BlockingIOError):  # neither a byte nor an end
            pair[1].recv(1)


def test_unix_sockets_have_paths(tmp_path):
    path = str(tmp_path / "x.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with socket.socket(socket.AF_UNIX) as near:
            near.connect(path)
            stream = SocketStream(near)
            assert (stream.peer, stream.local, stream.tls) == (path, "", None)


def test_release_gives_the_connection_away(pair):
    descriptor = pair[0].fileno()
    stream = SocketStream(pair[0])
    with stream.release() as released:
        assert released.fileno() == descriptor
        assert stream.fileno() == -1
        stream.close()
        with pytest.raises(OSError):
            receive(stream)
        pair[1].sendall(b"hello")
        assert select.select([released], [], [], 5)[0]
        assert released.recv(10) == b"hello"


def test_connections_share_the_names_of_their_hosts():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        streams = [SocketStream(socket.create_connection(listener.getsockname())) for _ in range(2)]
        assert streams[0].peer == streams[1].peer == listener.getsockname()
        assert streams[0].peer[0] is streams[1].peer[0] is streams[1].local[0]
        for stream in streams:
            stream.close()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no unix sockets here")
def test_addresses_that_are_no_host():
    class Odd(socket.socket):
        def getpeername(self):
            return (3, 1234)  # as AF_VSOCK has them

    near, far = socket.socketpair()
    stream = SocketStream(Odd(fileno=near.detach()))
    assert stream.peer == (3, 1234)
    stream.close()
    far.close()
