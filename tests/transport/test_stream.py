"""What every stream promises, held by plain and TLS streams alike, and what is TLS's own."""

from __future__ import annotations

import os
import select
import socket
import ssl
import threading

import pytest

from tieline.transport.stream import SocketStream, TLSStream

PIECE = 256 * 1024


class TLSPeer:
    """The server's end of a TLS session over a blocking socket, driven by the test's thread."""

    def __init__(self, connected: socket.socket, context: ssl.SSLContext) -> None:
        self._socket = connected
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def step(self) -> None:
        """One step of the handshake with what has come."""
        self._take()
        try:
            self._session.do_handshake()
        except ssl.SSLWantReadError:
            pass
        self._put()

    def _take(self) -> None:
        self._socket.setblocking(False)
        try:
            while data := self._socket.recv(PIECE):
                self._incoming.write(data)
        except BlockingIOError:
            pass
        finally:
            self._socket.setblocking(True)

    def _put(self) -> None:
        if self._outgoing.pending:
            self._socket.sendall(self._outgoing.read())

    def records(self, *pieces: bytes) -> bytes:
        """The ciphertext of these pieces, one record or more for each."""
        for piece in pieces:
            self._session.write(piece)
        return self._outgoing.read()

    def sendall(self, data: bytes) -> None:
        self._socket.sendall(self.records(data))

    def recv(self) -> bytes:
        self._take()
        received = b""
        try:
            while data := self._session.read(PIECE):
                received += data
        except ssl.SSLWantReadError:
            pass
        return received

    def close_notify(self) -> bytes:
        with pytest.raises(ssl.SSLWantReadError):
            self._session.unwrap()
        return self._outgoing.read()


class PlainPeer:
    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def sendall(self, data: bytes) -> None:
        self._socket.sendall(data)

    def recv(self) -> bytes:
        self._socket.setblocking(False)
        received = b""
        try:
            while data := self._socket.recv(PIECE):
                received += data
        except BlockingIOError:
            pass
        finally:
            self._socket.setblocking(True)
        return received


@pytest.fixture
def pair():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        near = socket.create_connection(listener.getsockname(), 5)
        far, _ = listener.accept()
    far.settimeout(5)
    with near, far:
        yield near, far


@pytest.fixture(params=["TLSv1_2", "TLSv1_3"])
def secured(request, pair, server_context, ca_pem):
    server_context.maximum_version = ssl.TLSVersion[request.param]
    return secure(pair, server_context, ca_pem)


def secure(pair, server_context, ca_pem):
    near, far = pair
    context = ssl.create_default_context(cadata=ca_pem.decode())
    stream = TLSStream(SocketStream(near), context, "localhost")
    peer = TLSPeer(far, server_context)
    for _ in range(1000):
        if stream.handshake():
            peer.step()
            return stream, peer
        peer.step()
    pytest.fail("the handshake does not end")


@pytest.fixture(params=["plain", "tls"])
def ends(request, pair, server_context, ca_pem):
    """A stream, and its peer."""
    if request.param == "plain":
        return SocketStream(pair[0]), PlainPeer(pair[1])
    return secure(pair, server_context, ca_pem)


def receive(stream, size=PIECE):
    buffer = bytearray(size)
    count = stream.receive_into(memoryview(buffer))
    return count if count is None else bytes(buffer[:count])


def next_piece(stream, size=PIECE):
    """What comes next. Whenever there is nothing, the descriptor must tell when there is again."""
    while (piece := receive(stream, size)) is None:
        assert not stream.has_buffered_input
        assert select.select([stream], [], [], 5)[0], "nothing came"
    return piece


def receive_all(stream, length):
    received = b""
    while len(received) < length:
        piece = next_piece(stream)
        assert piece, f"the stream ended after {len(received)} of {length} bytes"
        received += piece
    return received


def wait_until_queued(near, length):
    """Until so many bytes can be read from the socket at once."""
    select.select([near], [], [], 5)
    for _ in range(1_000_000):
        if len(near.recv(PIECE, socket.MSG_PEEK)) >= length:
            return
    pytest.fail("the bytes do not come")


# Both kinds


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


# TLS only


def test_facts_of_the_session(secured):
    stream, _ = secured
    assert stream.tls["version"] in ("TLSv1.2", "TLSv1.3")
    assert stream.tls["cipher"]
    assert "commonName=localhost" in stream.tls["subject"]
    assert len(stream.tls["fingerprint"]) == 64


def test_many_records_in_one_call(secured, pair):
    stream, peer = secured
    receive(stream)  # session tickets
    pair[1].sendall(peer.records(*[b"%04d" % number for number in range(500)]))
    received = receive_all(stream, 2000)
    assert received == b"".join(b"%04d" % number for number in range(500))


def test_one_call_takes_all_that_has_come(pair, server_context, ca_pem):
    stream, peer = secure(pair, server_context, ca_pem)
    receive(stream)
    ciphertext = peer.records(*[b"x" * 100] * 300)
    pair[1].sendall(ciphertext)
    wait_until_queued(pair[0], len(ciphertext))
    assert len(receive(stream)) == 300 * 100


def test_buffered_input_is_announced(pair, server_context, ca_pem):
    stream, peer = secure(pair, server_context, ca_pem)
    receive(stream)
    pair[1].sendall(peer.records(b"abc", b"def"))
    assert next_piece(stream, 2) == b"ab"
    assert stream.has_buffered_input
    assert receive(stream, 2) == b"cd"
    assert stream.has_buffered_input
    assert receive(stream, 10) == b"ef"
    assert not stream.has_buffered_input
    assert receive(stream) is None


def test_half_a_record_is_not_announced(pair, server_context, ca_pem):
    stream, peer = secure(pair, server_context, ca_pem)
    receive(stream)
    ciphertext = peer.records(b"abc")
    pair[1].sendall(ciphertext[:10])
    wait_until_queued(pair[0], 10)
    assert receive(stream) is None
    assert not stream.has_buffered_input
    pair[1].sendall(ciphertext[10:])
    assert receive_all(stream, 3) == b"abc"


def test_every_cut_of_the_ciphertext(pair, server_context, ca_pem):
    stream, peer = secure(pair, server_context, ca_pem)
    receive(stream)
    for cut in range(1, 60):
        ciphertext = peer.records(b"first", b"second")
        pair[1].sendall(ciphertext[:cut])
        received = receive(stream) or b""
        pair[1].sendall(ciphertext[cut:])
        assert received + receive_all(stream, 11 - len(received)) == b"firstsecond"


def test_the_lower_stream_can_be_replaced_at_any_byte(pair, server_context, ca_pem):
    stream, peer = secure(pair, server_context, ca_pem)
    receive(stream)
    for cut in range(0, 40, 3):
        ciphertext = peer.records(b"moving")
        pair[1].sendall(ciphertext[:cut])
        received = receive(stream) or b""
        stream.lower = SocketStream(stream.lower.release())
        pair[1].sendall(ciphertext[cut:])
        assert received + receive_all(stream, 6 - len(received)) == b"moving"
        stream.send(b"moved")
        assert peer.recv() == b"moved"
    stream.close()


def test_close_notify_is_the_end(secured, pair):
    stream, peer = secured
    pair[1].sendall(peer.records(b"last") + peer.close_notify())
    assert receive_all(stream, 4) == b"last"
    assert next_piece(stream) == b""


def test_a_broken_record_stays_an_error(secured, pair):
    stream, peer = secured
    broken = bytearray(peer.records(b"evil"))
    broken[-1] ^= 1
    pair[1].sendall(broken)
    for _ in range(2):
        with pytest.raises(ssl.SSLError):
            next_piece(stream)


def test_bytes_before_an_error_come_first(pair, server_context, ca_pem):
    stream, peer = secure(pair, server_context, ca_pem)
    receive(stream)
    good = peer.records(b"good")
    broken = bytearray(peer.records(b"evil"))
    broken[-1] ^= 1
    pair[1].sendall(good + bytes(broken))
    assert receive_all(stream, 4) == b"good"
    with pytest.raises(ssl.SSLError):
        next_piece(stream)


def test_what_has_come_survives_shutdown_write(pair, server_context, ca_pem):
    stream, peer = secure(pair, server_context, ca_pem)
    receive(stream)
    pair[1].sendall(peer.records(b"abc", b"def", b"ghi"))
    assert next_piece(stream, 2) == b"ab"  # the rest is inside the session now
    stream.shutdown_write()
    assert stream.has_buffered_input
    assert receive_all(stream, 7) == b"cdefghi"


def test_tls_over_tls(pair, server_context, ca_pem):
    outer, outer_peer = secure(pair, server_context, ca_pem)
    context = ssl.create_default_context(cadata=ca_pem.decode())
    inner = TLSStream(outer, context, "localhost")

    class Tunnel:
        def setblocking(self, blocking):
            pass

        def recv(self, _):
            data = outer_peer.recv()
            if not data:
                raise BlockingIOError
            return data

        def sendall(self, data):
            outer_peer.sendall(data)

    inner_peer = TLSPeer(Tunnel(), server_context)
    for _ in range(1000):
        done = inner.handshake()
        inner_peer.step()
        if done:
            break
    assert inner.tls["subject"]
    message = os.urandom(600_000)
    sender = threading.Thread(target=inner_peer.sendall, args=(message,))
    sender.start()
    assert receive_all(inner, len(message)) == message
    sender.join(5)
    assert inner.send(b"x" * 1000) == 1000
    assert inner_peer.recv() == b"x" * 1000
