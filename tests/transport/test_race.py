"""RFC 8305 on loopback: the first to connect wins, and no other socket stays open."""

from __future__ import annotations

import errno
import socket
import threading
from contextlib import closing

import pytest

from tieline.errors import ConnectCancelled, ConnectError, ConnectTimeout, OptionError
from tieline.transport import race as race_module
from tieline.transport.lookup import AddressInfo
from tieline.transport.race import connect_unix, race


def v4(port, host="127.0.0.1"):
    return AddressInfo(socket.AF_INET, (host, port))


def v6(port, host="::1"):
    return AddressInfo(socket.AF_INET6, (host, port, 0, 0))


@pytest.fixture
def started(make_attempt):
    """An attempt, and the addresses in the order in which they were tried."""
    addresses = []

    def note(kind, data):
        if kind == "connecting":
            addresses.append(data["address"])

    return make_attempt(5, on_event=note), addresses


def test_one_address(attempt, serve, handlers):
    server = serve(handlers.echo)
    connected = race([v4(server.port)], attempt)
    with closing(connected):
        assert connected.getpeername() == server.address
        assert not connected.getblocking()
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert attempt.timings["tcp"] > 0


def test_a_refused_address_starts_the_next_at_once(
    started, serve, handlers, refusing_port, monkeypatch
):
    monkeypatch.setattr(race_module, "STAGGER", 60)
    attempt, addresses = started
    server = serve(handlers.echo)
    connected = race([v4(refusing_port), v4(server.port)], attempt)
    with closing(connected):
        assert connected.getpeername() == server.address
    assert addresses == [f"127.0.0.1:{refusing_port}", f"127.0.0.1:{server.port}"]


def test_a_silent_address_is_overtaken(started, serve, handlers, unanswering_port, monkeypatch):
    monkeypatch.setattr(race_module, "STAGGER", 0.01)
    attempt, addresses = started
    server = serve(handlers.echo)
    connected = race([v4(unanswering_port), v4(server.port)], attempt)
    with closing(connected):
        assert connected.getpeername() == server.address
    assert len(addresses) == 2


def test_the_next_one_waits_for_its_turn(started, serve, handlers, monkeypatch):
    monkeypatch.setattr(race_module, "STAGGER", 60)
    attempt, addresses = started
    server = serve(handlers.echo)
    race([v4(server.port), v4(1), v4(2)], attempt).close()
    assert addresses == [f"127.0.0.1:{server.port}"]


def test_families_take_turns(started, refusing_port):
    attempt, addresses = started
    targets = [v6(1), v6(2), v4(refusing_port), v4(refusing_port, "127.0.0.2")]
    with pytest.raises(ConnectError):
        race(targets, attempt)
    assert [address[0] for address in addresses] == ["[", "1", "[", "1"]


def test_all_fail_and_all_are_named(attempt, refusing_port):
    attempt.destination = "example.com:443"
    targets = [v4(refusing_port), v4(refusing_port, "127.0.0.2")]
    with pytest.raises(ConnectError) as caught:
        race(targets, attempt)
    assert str(caught.value) == (
        f"connecting to example.com:443 failed (tcp): 127.0.0.1:{refusing_port}: "
        f"Connection refused; 127.0.0.2:{refusing_port}: Connection refused"
    )


def test_an_address_that_fails_at_once(started, serve, handlers):
    attempt, addresses = started
    server = serve(handlers.echo)
    # A broadcast address: connect() refuses it before anything is sent.
    race([v4(server.port, "255.255.255.255"), v4(server.port)], attempt).close()
    assert len(addresses) == 2


def test_no_descriptors_left_is_a_reason_too(attempt, monkeypatch):
    def socket_without_descriptors(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "SocketType", socket_without_descriptors)
    with pytest.raises(ConnectError, match=r"127.0.0.1:80: Too many open files"):
        race([v4(80)], attempt)


def test_deadline(make_attempt, unanswering_port):
    with pytest.raises(ConnectTimeout) as caught:
        race([v4(unanswering_port)], make_attempt(0.2))
    assert caught.value.phase == "tcp"
    assert f"waiting for 127.0.0.1:{unanswering_port} to accept" in str(caught.value)


def test_one_fails_and_one_is_silent(make_attempt, unanswering_port, refusing_port, monkeypatch):
    monkeypatch.setattr(race_module, "STAGGER", 0.005)
    with pytest.raises(ConnectTimeout) as caught:
        race([v4(unanswering_port), v4(refusing_port)], make_attempt(0.2))
    assert str(caught.value).endswith(
        f"while waiting for 127.0.0.1:{unanswering_port} to accept the connection "
        f"(127.0.0.1:{refusing_port}: Connection refused)"
    )


def test_a_timeout_names_late_addresses_and_all_that_have_failed(make_attempt, refusing_port):
    late = Late([v4(refusing_port, "127.0.0.2")])
    with pytest.raises(ConnectTimeout) as caught:
        race([v4(refusing_port)], make_attempt(0.1), late=late)
    assert str(caught.value).endswith(
        "while waiting for the resolver's further addresses "
        f"(127.0.0.2:{refusing_port}: Connection refused; "
        f"127.0.0.1:{refusing_port}: Connection refused)"
    )


def test_cancel_from_another_thread(make_attempt, unanswering_port):
    def cancel(kind, data):
        threading.Thread(target=attempt.cancel).start()

    attempt = make_attempt(None, on_event=cancel)
    with pytest.raises(ConnectCancelled, match="in phase 'tcp'"):
        race([v4(unanswering_port), v4(unanswering_port)], attempt)


def test_an_exception_from_outside_closes_everything(make_attempt, unanswering_port, monkeypatch):
    monkeypatch.setattr(race_module, "STAGGER", 0.005)
    seen = []

    def interrupt(kind, data):
        seen.append(data)
        if len(seen) == 2:
            raise KeyboardInterrupt  # no_leaks (conftest) sees whether the first one was closed

    with pytest.raises(KeyboardInterrupt):
        race([v4(unanswering_port)] * 2, make_attempt(5, on_event=interrupt))


# Addresses that come late


class Late:
    """What a resolver gives while the race is on, in turns; None: nothing yet."""

    def __init__(self, *turns, is_pending=True):
        self.turns = list(turns)
        self.is_forever = is_pending

    @property
    def is_pending(self):
        return bool(self.turns) or self.is_forever

    def late(self):
        return (self.turns.pop(0) if self.turns else None) or []


def test_late_addresses_when_all_others_have_failed(started, serve, handlers, refusing_port):
    attempt, addresses = started
    server = serve(handlers.echo)
    late = Late(None, None, [v4(server.port)])
    attempt.wake()
    connected = race([v4(refusing_port)], attempt, late=late)
    with closing(connected):
        assert connected.getpeername() == server.address
    assert len(addresses) == 2


def test_a_late_address_overtakes(started, serve, handlers, unanswering_port, monkeypatch):
    monkeypatch.setattr(race_module, "STAGGER", 0.01)
    monkeypatch.setattr(race_module, "LATE_PATIENCE", 60)
    attempt, addresses = started
    server = serve(handlers.echo)
    late = Late(None, [v4(server.port)])
    # While nobody but the silent one is left, only being woken makes the race look.
    threading.Thread(target=attempt.wake).start()
    connected = race([v4(unanswering_port)], attempt, late=late)
    with closing(connected):
        assert connected.getpeername() == server.address
    assert len(addresses) == 2


def test_late_addresses_come_next(started, refusing_port):
    attempt, addresses = started
    late = Late(None, [v6(1), v6(2)], is_pending=False)
    with pytest.raises(ConnectError):
        race([v4(refusing_port, f"127.0.0.{last}") for last in (1, 2, 3)], attempt, late=late)
    assert [address[0] for address in addresses] == ["1", "[", "1", "[", "1"]


def test_late_addresses_that_never_come(attempt, refusing_port, monkeypatch):
    monkeypatch.setattr(race_module, "LATE_PATIENCE", 0.02)
    with pytest.raises(ConnectError, match="Connection refused"):
        race([v4(refusing_port)], attempt, late=Late())


def test_an_address_that_comes_just_when_nothing_more_is_pending(
    attempt, serve, handlers, refusing_port
):
    server = serve(handlers.echo)

    class JustNow:
        """The look-up ends right after it was asked whether it goes on."""

        found = [v4(server.port)]
        asked = 0

        @property
        def is_pending(self):
            self.asked += 1
            if self.asked == 2:
                attempt.wake()
                return True
            return self.asked < 2

        def late(self):
            if self.asked < 3:
                return []
            found, self.found = self.found, []
            return found

    race([v4(refusing_port)], attempt, late=JustNow()).close()


def test_cancel_while_late_addresses_are_awaited(make_attempt, refusing_port):
    attempt = make_attempt(None)
    timer = threading.Timer(0.02, attempt.cancel)
    timer.start()
    with pytest.raises(ConnectCancelled):
        race([v4(refusing_port)], attempt, late=Late())
    timer.join()


# Source address and options


def test_source_address(attempt, serve, handlers):
    server = serve(handlers.echo)
    connected = race([v4(server.port)], attempt, source_address=("127.0.0.9", 0))
    with closing(connected):
        assert connected.getsockname()[0] == "127.0.0.9"


def test_source_address_of_the_other_family(attempt, serve, handlers):
    server = serve(handlers.echo)
    connected = race([v6(1), v4(server.port)], attempt, source_address=("127.0.0.1", 0))
    with closing(connected):
        assert connected.family == socket.AF_INET
    with pytest.raises(ConnectError, match="source_address ::1 is of the other address family"):
        race([v4(server.port)], attempt, source_address=("::1", 0))


def test_a_source_address_is_not_looked_up(attempt):
    with pytest.raises(OptionError, match="source_address: expected .IP address, port."):
        race([v4(1)], attempt, source_address=("localhost", 0))


def test_a_source_address_that_is_not_ours(attempt):
    with pytest.raises(ConnectError, match="Cannot assign requested address"):
        race([v4(1)], attempt, source_address=("192.0.2.1", 0))


def test_socket_options(attempt, serve, handlers):
    server = serve(handlers.echo)
    options = [
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"),
    ]
    connected = race([v4(server.port)], attempt, socket_options=options)
    with closing(connected):
        assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER)


def test_an_option_for_connected_sockets_only(attempt, serve, handlers, monkeypatch):
    class Fussy(socket.socket):
        """Refuses one option until it is connected, as the kernel does with TCP_ULP."""

        def setsockopt(self, *option):
            if option[1] == socket.SO_KEEPALIVE:
                self.getpeername()
            super().setsockopt(*option)

    server = serve(handlers.echo)
    monkeypatch.setattr(socket, "SocketType", Fussy)
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    connected = race([v4(server.port)], attempt, socket_options=options)
    with closing(connected):
        assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_an_option_that_is_never_accepted(attempt, serve, handlers):
    server = serve(handlers.echo)
    with pytest.raises(OptionError, match=r"socket_options: the system refused \(1, 9999, 1\)"):
        race([v4(server.port)], attempt, socket_options=[(socket.SOL_SOCKET, 9999, 1)])


@pytest.mark.parametrize("option", [(1,), (1, 2, "x"), (1, 2, 2**70), ("a", 2, 3)])
def test_an_option_that_is_none(attempt, option):
    with pytest.raises(OptionError, match="socket_options: expected tuples"):
        race([v4(1)], attempt, socket_options=[option])


# Unix sockets


def test_unix_socket(attempt, serve, handlers, tmp_path):
    path = str(tmp_path / "x.sock")
    serve(handlers.echo, path=path)
    connected = connect_unix(path, attempt, [(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)])
    with closing(connected):
        assert connected.getpeername() == path
        assert not connected.getblocking()


@pytest.mark.parametrize(
    ("name", "reason"), [("none.sock", "No such file"), ("x" * 200, "too long")]
)
def test_unix_socket_failure_names_the_path(attempt, tmp_path, name, reason):
    path = str(tmp_path / name)
    with pytest.raises(ConnectError, match=reason) as caught:
        connect_unix(path, attempt, ())
    assert path in str(caught.value)
    assert "(tcp)" in str(caught.value)


def test_unix_socket_with_a_full_queue(make_attempt, tmp_path):
    path = str(tmp_path / "x.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        queued = []
        try:
            while not queued or queued[-1].connect_ex(path) == 0:
                queued.append(socket.socket(socket.AF_UNIX))
                queued[-1].setblocking(False)
            with pytest.raises(ConnectTimeout) as caught:
                connect_unix(path, make_attempt(0.05), ())
            assert path in str(caught.value)

            attempt = make_attempt(None)
            threading.Thread(target=attempt.cancel).start()
            with pytest.raises(ConnectCancelled):
                connect_unix(path, attempt, ())
        finally:
            for waiting in queued:
                waiting.close()


def test_platforms_without_unix_sockets(attempt, monkeypatch):
    monkeypatch.delattr(socket, "AF_UNIX")
    with pytest.raises(OptionError, match="unix_socket: this platform"):
        connect_unix("/x", attempt, ())
