"""Whole writes and single reads that end at the time they are given."""

from __future__ import annotations

import socket
import threading

import pytest

from tieline.errors import ConnectCancelled, ConnectTimeout
from tieline.transport.exchange import reads_of_answer, receive, send_all
from tieline.transport.stream import SocketStream


@pytest.fixture
def pair():
    near, far = socket.socketpair()
    with near, far:
        far.settimeout(5)
        yield SocketStream(near), far


@pytest.fixture
def buffer():
    return memoryview(bytearray(10))


def test_send_all_is_whole(pair, attempt):
    stream, far = pair
    message = bytes(range(256)) * 8192
    received = bytearray()

    def read():
        while len(received) < len(message):
            received.extend(far.recv(65536))

    reader = threading.Thread(target=read)
    reader.start()
    send_all(stream, message, attempt)
    reader.join(5)
    assert received == message


def test_send_all_ends_at_the_deadline(pair, make_attempt):
    with pytest.raises(ConnectTimeout):
        send_all(pair[0], bytes(10_000_000), make_attempt(0.02))


def test_receive(pair, attempt, buffer):
    stream, far = pair
    far.send(b"hello")
    assert receive(stream, buffer, attempt) == 5
    assert buffer[:5] == b"hello"
    assert receive(stream, buffer, attempt, until=attempt.clock() + 0.01) is None
    far.close()
    assert receive(stream, buffer, attempt) == 0


def test_receive_ends_at_the_deadline(pair, make_attempt, buffer):
    with pytest.raises(ConnectTimeout):
        receive(pair[0], buffer, make_attempt(0.02))


def test_bytes_that_keep_coming_do_not_outrun_the_time(pair, make_attempt, buffer):
    stream, far = pair
    far.send(b"x" * 100)
    attempt = make_attempt(5)
    assert receive(stream, buffer, attempt, until=attempt.clock() - 1) is None
    with pytest.raises(ConnectTimeout):
        receive(stream, buffer, make_attempt(-1))
    attempt.cancel()
    with pytest.raises(ConnectCancelled):
        receive(stream, buffer, attempt)


def test_what_the_descriptor_does_not_show_is_not_waited_for(pair, attempt, buffer):
    """TLS may have more to read although it gave nothing: `has_buffered_input`."""
    stream, _ = pair

    class Pausing:
        has_buffered_input = True
        fileno = stream.fileno
        answers = iter((None, None, 3))

        def receive_into(self, buffer):
            return next(self.answers)

    assert receive(Pausing(), buffer, attempt) == 3


def test_an_answer_that_has_no_head_yet_is_awaited_until_the_deadline(pair, make_attempt, buffer):
    reads = reads_of_answer(pair[0], buffer, make_attempt(0.02), lambda: False)
    with pytest.raises(ConnectTimeout):
        next(reads)


def test_a_body_is_awaited_for_a_while_only(pair, attempt, buffer, monkeypatch):
    monkeypatch.setattr("tieline.transport.exchange.BODY_PATIENCE", 0.02)
    stream, far = pair
    far.sendall(b"head")
    has_head = False
    reads = reads_of_answer(stream, buffer, attempt, lambda: has_head)
    assert next(reads) == 4
    has_head = True
    assert next(reads) is None


def test_a_refusal_tells_more_than_the_deadline(pair, make_attempt, buffer):
    assert next(reads_of_answer(pair[0], buffer, make_attempt(0.02), lambda: True)) is None


def test_the_end_of_an_answer(pair, attempt, buffer):
    stream, far = pair
    far.close()
    assert next(reads_of_answer(stream, buffer, attempt, lambda: True)) == 0
