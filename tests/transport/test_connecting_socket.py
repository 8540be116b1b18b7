"""One address → a socket that connects to it, and whose peer the attempt knows."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from tieline.errors import ConnectError, ConnectTimeout
from tieline.transport.connecting_socket import begin, connect_alone, note_peer, reason
from tieline.transport.lookup import AddressInfo


def v4(port, host="127.0.0.1"):
    return AddressInfo(int(socket.AF_INET), (host, port))


def test_the_attempt_knows_the_peer_and_the_time(attempt, serve, handlers):
    address = v4(serve(handlers.echo).port)
    with closing(connect_alone(address, attempt, None, ())) as connected:
        assert connected.getpeername() == address.sockaddr
        assert not connected.getblocking()
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert attempt.peer is address.sockaddr  # thousands of connections share it
    assert attempt.timings["tcp"] > 0


def test_where_one_really_is_connected_to(attempt, serve, handlers):
    port = serve(handlers.echo).port
    connect_alone(v4(port, "0.0.0.0"), attempt, None, ()).close()
    assert attempt.peer == ("127.0.0.1", port)


def test_a_refusal_names_address_and_phase(attempt, refusing_port):
    attempt.destination = "example.com:443"
    with pytest.raises(ConnectError) as caught:
        connect_alone(v4(refusing_port), attempt, None, ())
    assert str(caught.value) == (
        f"connecting to example.com:443 failed (tcp): 127.0.0.1:{refusing_port}: Connection refused"
    )
    assert attempt.peer is None


def test_a_wait_ends_at_the_deadline(make_attempt, unanswering_port):
    with pytest.raises(ConnectTimeout, match=f"waiting for 127.0.0.1:{unanswering_port} to accept"):
        connect_alone(v4(unanswering_port), make_attempt(0.1), None, ())


def test_the_phase_before_goes_on_after_a_failure(make_attempt, refusing_port):
    attempt = make_attempt(5)
    with attempt.in_phase("proxy", "asking"):
        with pytest.raises(ConnectError):
            connect_alone(v4(refusing_port), attempt, None, ())
        assert attempt.phase == "proxy"


def test_an_option_may_have_to_wait(serve, handlers):
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.SOL_SOCKET, 9999, 1)]
    connecting, late = begin(v4(serve(handlers.echo).port), None, options)
    with closing(connecting):
        assert late == options[1:]
        assert connecting.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_a_socket_that_is_not_connected_has_no_peer(attempt):
    with socket.socket() as alone:
        assert not note_peer(attempt, alone)
    assert attempt.peer is None


def test_a_reason_without_a_number():
    assert reason(OSError("AF_UNIX path too long")) == "AF_UNIX path too long"
