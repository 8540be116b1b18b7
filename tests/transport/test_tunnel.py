"""Tunnels through proxies that are asked for a name, or for one address after the other."""

from __future__ import annotations

import socket

import pytest

from tieline.errors import ConnectTimeout, OptionError, ProxyError, ResolveError
from tieline.transport.proxy import Proxy
from tieline.transport.stream import SocketStream
from tieline.transport.tunnel import open_tunnel, prepare_tunnel


@pytest.fixture
def names(monkeypatch):
    """names(("10.0.0.1", "::1")): what getaddrinfo knows of every name."""
    real = socket.getaddrinfo

    def install(addresses):
        def getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):
            if flags & socket.AI_NUMERICHOST:
                return real(host, port, family, type, proto, flags)
            found = [real(address, port, 0, type, 0, flags)[0] for address in addresses]
            found = [entry for entry in found if family in (0, entry[0])]
            if not found:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return found

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return install


@pytest.fixture
def socks5(serve):
    """A proxy that says what `answers` has for an address; it notes what it was asked for."""

    class Socks5:
        def __init__(self):
            self.asked = []
            #: Address (as text) → the reply; None: no reply.
            self.answers = {}
            self.server = serve(self.handle)
            self.streams = []

        def connect(self):
            connected = socket.socket()
            connected.connect(self.server.address)
            self.streams.append(SocketStream(connected))
            return self.streams[-1]

        def handle(self, connection):
            assert connection.recv(3, socket.MSG_WAITALL) == b"\x05\x01\x00"
            connection.sendall(b"\x05\x00")
            kind = connection.recv(4, socket.MSG_WAITALL)[3]
            if kind == 3:
                size = connection.recv(1)[0]
                address = connection.recv(size, socket.MSG_WAITALL).decode()
            else:
                family, size = {1: (socket.AF_INET, 4), 4: (socket.AF_INET6, 16)}[kind]
                address = socket.inet_ntop(family, connection.recv(size, socket.MSG_WAITALL))
            connection.recv(2, socket.MSG_WAITALL)
            self.asked.append(address)
            reply = self.answers.get(address, 0)
            if reply is None:
                connection.recv(1)
                return
            connection.sendall(bytes([5, reply, 0, 1, 0, 0, 0, 0, 0, 0]))
            if not reply:
                connection.recv(1)

    proxy = Socks5()
    yield proxy
    for stream in proxy.streams:
        stream.close()


def through(scheme):
    return Proxy(scheme, "proxy.example", 1080)


def test_a_name_for_the_proxy_to_look_up(socks5, attempt, names):
    names(())
    stream = open_tunnel(socks5.connect, through("socks5h"), "example.com", 80, 0, attempt)
    assert stream is socks5.streams[0]
    assert socks5.asked == ["example.com"]


def test_a_name_looked_up_here_ipv4_first(socks5, attempt, names):
    names(("2001:db8::1", "10.0.0.1"))
    open_tunnel(socks5.connect, through("socks5"), "example.com", 80, 0, attempt)
    assert socks5.asked == ["10.0.0.1"]
    assert set(attempt.timings) == {"dns", "proxy"}


def test_the_next_address_when_the_proxy_cannot_reach_one(socks5, attempt, names):
    names(("2001:db8::1", "10.0.0.1", "10.0.0.2"))
    socks5.answers.update({"10.0.0.1": 5, "10.0.0.2": 4})
    stream = open_tunnel(socks5.connect, through("socks5"), "example.com", 80, 0, attempt)
    assert socks5.asked == ["10.0.0.1", "10.0.0.2", "2001:db8::1"]
    assert stream is socks5.streams[2]
    assert [stream.fileno() for stream in socks5.streams[:2]] == [-1, -1]


def test_all_refusals_are_told(socks5, attempt, names):
    names(("10.0.0.1", "10.0.0.2"))
    socks5.answers.update({"10.0.0.1": 5, "10.0.0.2": 3})
    with pytest.raises(ProxyError) as caught:
        open_tunnel(socks5.connect, through("socks5"), "example.com", 80, 0, attempt)
    assert str(caught.value) == (
        "the proxy proxy.example:1080 refused a tunnel to example.com:80 (proxy): "
        "10.0.0.1: connection refused; 10.0.0.2: network unreachable; "
        "it cannot reach the target now"
    )


@pytest.mark.parametrize(
    ("reply", "is_final", "words"),
    [
        (2, True, "connection not allowed by ruleset; it does not allow this host or port"),
        (8, True, "address type not supported; socks5:// sends an address, socks5h:// a name"),
        (5, False, "connection refused"),
    ],
)
def test_a_refusal(socks5, attempt, reply, is_final, words):
    socks5.answers["example.com"] = reply
    with pytest.raises(ProxyError, match=rf"tunnel to example.com:80 \(proxy\): {words}") as caught:
        open_tunnel(socks5.connect, through("socks5h"), "example.com", 80, 0, attempt)
    assert caught.value.refused is is_final
    assert socks5.streams[0].fileno() == -1


def test_one_deadline_for_all_addresses(socks5, make_attempt, names):
    names(("10.0.0.1", "10.0.0.2"))
    socks5.answers.update({"10.0.0.1": 5, "10.0.0.2": None})
    with pytest.raises(ConnectTimeout):
        open_tunnel(socks5.connect, through("socks5"), "example.com", 80, 0, make_attempt(0.2))
    assert [stream.fileno() for stream in socks5.streams] == [-1, -1]


def test_the_family_asked_for(socks5, attempt, names):
    names(("2001:db8::1", "10.0.0.1"))
    family = int(socket.AF_INET6)
    open_tunnel(socks5.connect, through("socks5"), "example.com", 80, family, attempt)
    assert socks5.asked == ["2001:db8::1"]


@pytest.mark.parametrize("host", ["example.com", "2001:db8::1"])
def test_socks4_and_a_host_with_ipv6_only(socks5, attempt, names, host):
    names(("2001:db8::1",))
    reason = "SOCKS4 knows IPv4 addresses only; with socks5h:// the"
    with pytest.raises(ResolveError, match=reason) as caught:
        open_tunnel(socks5.connect, through("socks4"), host, 80, 0, attempt)
    assert caught.value.refused is (host == "2001:db8::1")  # a name may get an address yet
    assert socks5.streams == []


def test_socks4_and_the_family_ipv6(socks5, attempt):
    family = int(socket.AF_INET6)
    with pytest.raises(OptionError, match="SOCKS4 knows IPv4 addresses only, and family is 'ipv6'"):
        open_tunnel(socks5.connect, through("socks4"), "example.com", 80, family, attempt)


def test_http(serve, handlers, attempt):
    def grant(connection):
        handlers.read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        connection.recv(1)

    def connect():
        return SocketStream(socket.create_connection(serve(grant).address, 5))

    stream = open_tunnel(connect, through("http"), "example.com", 80, 0, attempt)
    assert stream.fileno() >= 0
    stream.close()


def test_a_refused_http_tunnel_closes_its_stream(serve, handlers, attempt):
    streams = []

    def refuse(connection):
        handlers.read_head(connection)
        connection.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")

    def connect():
        streams.append(SocketStream(socket.create_connection(serve(refuse).address, 5)))
        return streams[0]

    with pytest.raises(ProxyError, match="403"):
        open_tunnel(connect, through("http"), "example.com", 80, 0, attempt)
    assert streams[0].fileno() == -1


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_an_address_on_this_machines_link(scheme):
    with pytest.raises(OptionError, match="the zone of 'fe80::1%eth0' .*use proxy=None"):
        prepare_tunnel(through(scheme), "fe80::1%eth0")
    prepare_tunnel(through(scheme), "fe80::1")
