"""What is TLS's own: records, session facts, and what waits inside."""

from __future__ import annotations

import os
import socket
import ssl
import threading

import pytest

from tests.transport.stream_ends import (
    TLSPeer,
    next_piece,
    receive,
    receive_all,
    secure,
    wait_until_queued,
)
from tieline.transport.stream import SocketStream
from tieline.transport.tls_stream import TLSStream


@pytest.fixture(params=["TLSv1_2", "TLSv1_3"])
def secured(request, pair, server_context, ca_pem):
    server_context.maximum_version = ssl.TLSVersion[request.param]
    return secure(pair, server_context, ca_pem)


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


def test_an_end_that_came_along_with_data_is_announced(secured, pair):
    """The socket will say nothing more: the peer waits for our close_notify."""
    stream, peer = secured
    receive(stream)  # session tickets
    ciphertext = peer.records(b"last") + peer.close_notify()
    pair[1].sendall(ciphertext)
    wait_until_queued(pair[0], len(ciphertext))
    assert receive(stream) == b"last"
    assert stream.has_buffered_input
    assert next_piece(stream) == b""
    assert not stream.has_buffered_input, "it is told once, and nobody reads on for ever"


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


def test_the_peer_is_told_of_a_broken_record(secured, pair):
    """The alert is output like any other: announced, counted, and flushed by the owner."""
    stream, peer = secured
    receive(stream)  # session tickets
    broken = bytearray(peer.records(b"evil"))
    broken[-1] ^= 1
    pair[1].sendall(broken)
    with pytest.raises(ssl.SSLError):
        next_piece(stream)
    assert stream.has_pending_output and stream.pending_size
    assert stream.flush() and not stream.has_pending_output
    with pytest.raises(ssl.SSLError, match="(?i)bad record mac"):
        peer.recv()


@pytest.mark.parametrize("room", [1, 99, 100, 101, 200, 16_384, 65_536])
def test_room_for_exactly_what_has_come(pair, server_context, ca_pem, room):
    """Whatever the records are and wherever a read stops, nothing is left unannounced."""
    stream, peer = secure(pair, server_context, ca_pem)
    receive(stream)  # session tickets
    content = os.urandom(3 * room)
    for size in (room, 100):
        pieces = [content[start : start + size] for start in range(0, len(content), size)]
        pair[1].sendall(peer.records(*pieces))
        received = b""
        while len(received) < len(content):
            received += next_piece(stream, room)
        assert received == content
        assert not stream.has_buffered_input
        assert receive(stream, room) is None


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("size", [1, 16_384, 256 * 1024, 256 * 1024 + 1, 700_000])
def test_all_that_is_sent_arrives(secured, kind, size):
    stream, peer = secured
    content = os.urandom(size)
    rest = kind(content)
    received = b""
    for _ in range(10_000):
        rest = rest[stream.send(rest) :]
        received += peer.recv()
        if len(received) == size:
            break
    assert received == content
    assert stream.flush() and stream.pending_size == 0


def test_what_is_sent_is_counted_in_bytes(pair, server_context, ca_pem):
    stream, peer = secure(pair, server_context, ca_pem)
    numbers = memoryview(bytes(range(16))).cast("I")
    assert stream.send(numbers) == 16
    assert peer.recv() == bytes(range(16))


def test_what_has_come_survives_shutdown_write(pair, server_context, ca_pem):
    stream, peer = secure(pair, server_context, ca_pem)
    receive(stream)
    pair[1].sendall(peer.records(b"abc", b"def", b"ghi"))
    assert next_piece(stream, 2) == b"ab"  # the rest is inside the session now
    stream.shutdown_write()
    assert stream.has_buffered_input
    assert receive_all(stream, 7) == b"cdefghi"


def test_an_end_that_has_come_survives_shutdown_write(secured, pair):
    stream, peer = secured
    receive(stream)  # session tickets
    ciphertext = peer.records(b"last") + peer.close_notify()
    pair[1].sendall(ciphertext)
    wait_until_queued(pair[0], len(ciphertext))
    assert next_piece(stream, 2) == b"la"
    stream.shutdown_write()
    assert next_piece(stream) == b"st"
    assert stream.has_buffered_input, "the socket says nothing more"
    assert receive(stream) == b""


def test_an_error_that_has_come_survives_shutdown_write(secured, pair):
    stream, peer = secured
    receive(stream)  # session tickets
    good = peer.records(b"good")
    broken = bytearray(peer.records(b"evil"))
    broken[-1] ^= 1
    pair[1].sendall(good + broken)
    wait_until_queued(pair[0], len(good + broken))
    assert next_piece(stream, 2) == b"go"
    stream.shutdown_write()
    assert receive(stream) == b"od"
    with pytest.raises(ssl.SSLError):
        receive(stream)


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


def test_every_byte_below_is_counted(pair, server_context, ca_pem):
    """Also those of half a record, which make up no byte to receive: the peer is alive."""
    stream, peer = secure(pair, server_context, ca_pem)
    receive(stream)
    ciphertext = peer.records(b"abc")
    for place in range(len(ciphertext)):
        before = stream.hidden_input
        pair[1].sendall(ciphertext[place : place + 1])
        wait_until_queued(pair[0], 1)
        assert (receive(stream) is None) == (place + 1 < len(ciphertext))
        assert stream.hidden_input == before + 1


def test_output_under_way_is_counted(pair, server_context, ca_pem):
    """It only becomes less, and only when the peer reads."""
    stream, peer = secure(pair, server_context, ca_pem)
    assert stream.pending_size == 0
    while stream.send(b"x" * 100_000):
        pass
    assert stream.has_pending_output
    pending = stream.pending_size
    assert 0 < pending
    assert not stream.flush() and stream.pending_size == pending
    for _ in range(1000):
        peer.recv()
        if stream.flush():
            break
        assert stream.pending_size <= pending
        pending = stream.pending_size
    assert stream.pending_size == 0


class Supply:
    """A lower stream: what it holds, and no descriptor."""

    peer = local = None
    hidden_input = pending_size = 0
    has_buffered_input = has_pending_output = False

    def __init__(self, content=b""):
        self.content = content
        self.reads = 0

    def receive_into(self, buffer):
        self.reads += 1
        piece, self.content = self.content[: len(buffer)], self.content[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece) or None

    def send(self, data):
        return len(data)

    def flush(self):
        return True


def tickets(pair, server_context, ca_pem, count):
    """A TLS 1.3 stream and what follows from its server: records that hold nothing to receive."""
    server_context.minimum_version = ssl.TLSVersion.TLSv1_3
    server_context.num_tickets = count
    stream, peer = secure(pair, server_context, ca_pem, finish=False)
    peer.step(put=False)
    return stream, peer.records()


def test_records_without_content_end_a_call_too(pair, server_context, ca_pem):
    """Others have their turn: the reader comes back, because this is announced."""
    stream, ciphertext = tickets(pair, server_context, ca_pem, 10_000)
    assert len(ciphertext) > 2_000_000
    stream.lower = lower = Supply(ciphertext)
    steps = 0
    while lower.content:
        before = len(lower.content)
        assert receive(stream) is None
        assert stream.has_buffered_input or not lower.content
        assert before - len(lower.content) <= 1024 * 1024
        steps += 1
    assert steps > 1
    while stream.has_buffered_input:
        assert receive(stream) is None
    assert stream.hidden_input > len(ciphertext)


def test_what_comes_behind_records_without_content(pair, server_context, ca_pem):
    server_context.minimum_version = ssl.TLSVersion.TLSv1_3
    server_context.num_tickets = 10_000
    stream, peer = secure(pair, server_context, ca_pem, finish=False)
    peer.step(put=False)
    stream.lower = Supply(peer.records(b"at last"))
    received = None
    while received is None:
        received = receive(stream)
        assert received or stream.has_buffered_input
    assert received == b"at last"
    receive(stream)
    assert not stream.has_buffered_input


def test_a_step_of_the_handshake_reads_once(ca_pem):
    """Whoever makes the steps can stop between two of them, whatever the peer sends."""
    lower = Supply(b"\x16\x03\x03\0\4\0\0\0\0" * 100_000)  # each a HelloRequest
    stream = TLSStream(lower, ssl.create_default_context(cadata=ca_pem.decode()), "localhost")
    for step in range(1, 4):
        assert not stream.handshake()
        assert lower.reads == step
        assert stream.has_buffered_input
    lower.content = b""
    assert not stream.handshake()
    assert not stream.has_buffered_input, "now the descriptor must be waited for"


# --- an owner that reads and writes below itself --------------------------------------------------


class Untouched:
    """The stream below, which nobody is to ask for anything."""

    has_buffered_input = has_pending_output = False
    hidden_input = pending_size = 0

    def receive_into(self, buffer):
        raise AssertionError("read")

    def send(self, data):
        raise AssertionError("written")

    def flush(self):
        return True


@pytest.fixture
def owned(pair, server_context, ca_pem):
    """A stream whose session tickets are read, and which is not to touch its socket any more."""
    stream, peer = secure(pair, server_context, ca_pem)
    receive(stream)
    stream.lower = Untouched()
    return stream, peer


def fed(stream, data, size=1000):
    """What comes of so much ciphertext."""
    stream.feed(data, is_all=True)
    return receive(stream, size)


def test_what_it_is_fed_it_gives_back_without_a_read(owned):
    stream, peer = owned
    before = stream.hidden_input
    records = peer.records(b"abc", b"def")
    assert fed(stream, records) == b"abcdef"
    assert stream.hidden_input == before + len(records)
    assert not stream.has_buffered_input


def test_it_is_fed_more_than_is_asked_for(owned):
    stream, peer = owned
    assert fed(stream, peer.records(b"abc", b"def"), 2) == b"ab"
    assert stream.has_buffered_input
    assert receive(stream, 4) == b"cdef"


def test_half_a_record_is_asked_for_below(pair, owned):
    stream, peer = owned
    records = peer.records(b"abc")
    stream.lower = SocketStream(pair[0])
    assert fed(stream, records[:9]) is None
    assert not stream.has_buffered_input
    stream.lower = Untouched()
    assert fed(stream, records[9:]) == b"abc"


def test_a_full_read_is_followed_by_another(pair, owned):
    """Whoever has filled its memory does not know whether there is more."""
    stream, peer = owned
    first, second = peer.records(b"abc"), peer.records(b"def")
    stream.lower = SocketStream(pair[0])
    pair[1].sendall(second)
    wait_until_queued(pair[0], len(second))
    stream.feed(memoryview(first), is_all=False)
    assert receive(stream) == b"abcdef"


def test_it_is_fed_the_end(owned):
    stream, _ = owned
    assert fed(stream, b"") == b""
    assert not stream.has_buffered_input


def test_it_is_fed_rubbish(owned):
    stream, _ = owned
    with pytest.raises(ssl.SSLError):
        fed(stream, b"\x17\x03\x03\x00\x20" + b"x" * 32)


def test_what_is_sealed_is_its_owners_to_write(pair, owned):
    stream, peer = owned
    sealed = stream.seal(b"abc") + stream.seal(b"def")
    assert not stream.has_pending_output
    pair[0].sendall(sealed)
    assert peer.recv() == b"abcdef"


def test_what_could_not_be_written_is_kept(pair, owned):
    stream, peer = owned
    pair[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sealed = stream.seal(b"abc")
    stream.keep(sealed, 4)
    assert stream.has_pending_output and stream.pending_size == len(sealed) - 4
    assert stream.seal(b"not now") is None
    pair[0].sendall(sealed[:4])
    stream.lower = SocketStream(pair[0])
    assert stream.flush()
    assert not stream.has_pending_output
    assert stream.send(b"def") == 3
    assert peer.recv() == b"abcdef"
