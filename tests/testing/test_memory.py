"""What every stream promises, held by memory streams as by sockets, and what is memory's own."""

from __future__ import annotations

import io
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.testing import memory_streams
from tieline.transport.stream import SocketStream


@pytest.fixture(params=["memory", "socket"])
def pair(request):
    if request.param == "memory":
        ends = memory_streams()
    else:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            near = socket.create_connection(listener.getsockname(), 5)
            far, _ = listener.accept()
        ends = SocketStream(near), SocketStream(far)
    yield ends
    for end in ends:
        end.close()


def receive(stream, size=65536):
    buffer = bytearray(size)
    count = stream.receive_into(memoryview(buffer))
    return count if count is None else bytes(buffer[:count])


def receive_all(stream, length):
    """So many bytes. Loopback delivers at once, so a bounded number of tries is enough."""
    received = b""
    for _ in range(100_000):
        if len(received) >= length:
            break
        received += receive(stream, length - len(received)) or b""
    return received


def at_last(stream):
    """The next that is not "nothing now"."""
    for _ in range(100_000):
        if (piece := receive(stream)) is not None:
            return piece
    pytest.fail("nothing came")


# What every stream promises


def test_bytes_go_both_ways(pair):
    near, far = pair
    assert near.send(b"hello") == 5
    assert receive_all(far, 5) == b"hello"
    assert far.send(bytearray(b"world")) == 5
    assert receive_all(near, 5) == b"world"
    assert near.send(memoryview(b"again")) == 5
    assert receive_all(far, 5) == b"again"


def test_nothing_to_read_is_none(pair):
    assert receive(pair[0]) is None
    assert not pair[0].has_buffered_input


def test_a_small_buffer_loses_nothing(pair):
    near, far = pair
    near.send(b"abcdefgh")
    assert [receive_all(far, size) for size in (3, 1, 4)] == [b"abc", b"d", b"efgh"]


def test_an_empty_buffer_is_refused(pair):
    with pytest.raises(ValueError, match="empty"):
        pair[0].receive_into(memoryview(b""))


def test_sending_nothing(pair):
    assert pair[0].send(b"") == 0


def test_a_full_pipe_takes_part_and_then_nothing(pair):
    near, far = pair
    block = bytes(range(256)) * 4096
    taken = 0
    for _ in range(1000):
        count = near.send(block)
        taken += count
        if not count:
            break
    assert near.send(block) == 0
    assert taken > 0
    assert near.flush() and not near.has_pending_output
    received = receive_all(far, taken)
    assert len(received) == taken
    assert near.send(b"more") == 4


def test_half_close_and_read_on(pair):
    near, far = pair
    near.send(b"last")
    near.shutdown_write()
    near.shutdown_write()
    assert receive_all(far, 4) == b"last"
    for _ in range(3):
        assert at_last(far) == b""
    far.send(b"answer")
    assert receive_all(near, 6) == b"answer"


def test_sending_after_half_close_is_an_error(pair):
    pair[0].shutdown_write()
    with pytest.raises(BrokenPipeError):
        pair[0].send(b"x")


def test_close_is_the_end_for_the_other(pair):
    near, far = pair
    near.send(b"bye")
    near.close()
    near.close()
    near.shutdown_write()
    assert near.fileno() == -1
    assert receive_all(far, 3) == b"bye"
    assert at_last(far) == b""


def test_a_closed_stream_cannot_be_used(pair):
    pair[0].close()
    with pytest.raises(OSError):
        receive(pair[0])
    with pytest.raises(OSError):
        pair[0].send(b"x")


def test_addresses_match(pair):
    near, far = pair
    assert near.peer == far.local
    assert near.local == far.peer
    assert near.tls is None


# Memory's own


def test_capacity_bounds_what_waits():
    near, far = memory_streams(4)
    assert near.send(b"abcdef") == 4
    assert near.send(b"ef") == 0
    assert not near.is_writable
    assert receive(far, 1) == b"a"
    assert near.is_writable
    assert near.send(b"ef") == 1
    assert far.read() == b"bcde"


def test_capacity_can_change():
    near, far = memory_streams(0)
    assert near.send(b"abc") == 0
    near.capacity = None
    assert near.send(b"abc") == 3
    assert far.capacity is None


@given(data=st.binary(min_size=1, max_size=50), limit=st.integers(1, 60))
def test_receive_limit_cuts_everywhere(data, limit):
    near, far = memory_streams(receive_limit=limit)
    near.write(data)
    pieces = []
    while (piece := receive(far)) is not None:
        pieces.append(piece)
    assert b"".join(pieces) == data
    assert all(len(piece) == limit for piece in pieces[:-1])
    assert len(pieces[-1]) <= limit


def test_what_came_before_an_error_is_read_first():
    near, far = memory_streams()
    near.write(b"before")
    far.fail(TimeoutError("the link died"))
    assert far.is_readable and far.is_writable
    assert receive(far) == b"before"
    for _ in range(2):
        with pytest.raises(TimeoutError, match="the link died"):
            receive(far)
    with pytest.raises(TimeoutError):
        far.send(b"x")


def test_reset():
    near, far = memory_streams()
    near.reset()
    with pytest.raises(ConnectionResetError):
        receive(far)
    assert near.fileno() == -1


def test_sending_to_a_closed_end_is_an_error():
    near, far = memory_streams()
    far.close()
    with pytest.raises(BrokenPipeError):
        near.send(b"x")


def test_detach_after_fork_is_no_sign_to_the_other():
    near, far = memory_streams()
    near.detach_after_fork()
    assert near.fileno() == -1
    assert receive(far) is None


def test_there_is_no_descriptor_to_wait_on():
    with pytest.raises(io.UnsupportedOperation, match="StepReactor"):
        memory_streams()[0].fileno()


def test_write_is_all_or_nothing():
    near, far = memory_streams(4)
    with pytest.raises(BlockingIOError, match="capacity=4"):
        near.write(b"abcde")
    assert far.waiting == 0
    near.write(b"abcd")
    assert far.waiting == 4


def test_at_end_is_after_the_last_byte():
    near, far = memory_streams()
    near.write(b"x")
    near.shutdown_write()
    assert not far.at_end
    assert far.read() == b"x"
    assert far.at_end
    assert far.is_readable


def test_on_change_tells_of_bytes_room_and_ends():
    near, far = memory_streams(4)
    told = []
    near.on_change = lambda: told.append(("near", near.waiting))
    far.on_change = lambda: told.append(("far", far.waiting))
    near.send(b"abcd")
    assert told == [("far", 4)]
    receive(far, 1)
    assert told[1:] == [("near", 0)]
    near.close()
    assert told[2:] == [("far", 3)]
    far.fail(OSError("x"))
    assert told[3:] == [("far", 3)]
