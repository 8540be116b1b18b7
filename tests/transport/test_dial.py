"""Whole routes: what comes out is a stream to the right place, or an error and no open socket."""

from __future__ import annotations

import hashlib
import select
import socket
import ssl
import threading

import pytest

from tieline.errors import (
    ConnectCancelled,
    ConnectError,
    ConnectTimeout,
    OptionError,
    ProxyError,
    ResolveError,
    TLSError,
)
from tieline.transport.dial import Route, dial
from tieline.transport.proxy import Proxy
from tieline.transport.stream import SocketStream
from tieline.transport.tls_settings import TLSSettings


@pytest.fixture
def connect(serve, attempt):
    """dial(), and close what came out at the end, before the servers stop."""
    streams = []

    def run(route, attempt=attempt):
        streams.append(dial(route, attempt))
        return streams[-1]

    yield run
    for stream in streams:
        stream.close()


@pytest.fixture
def trust(ca_pem):
    return TLSSettings(ca_data=ca_pem)


@pytest.fixture
def forwarding(handlers):
    """A CONNECT proxy: forwarding(targets) notes where it was asked to connect to."""

    def make(targets, to):
        def handler(connection):
            head = handlers.read_head(connection)
            targets.append(head.split()[1].decode())
            with socket.create_connection(to.address[:2], 5) as target:
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                pump(connection, target)

        return handler

    return make


def pump(one, other):
    """Both ways until either end closes."""
    ends = {one: other, other: one}
    while True:
        pending = isinstance(one, ssl.SSLSocket) and one.pending()
        ready = [one] if pending else select.select(list(ends), [], [], 10)[0]
        for end in ready:
            data = end.recv(65536)
            if not data:
                return
            ends[end].sendall(data)


def assert_echoes(stream, message=b"hello"):
    assert stream.send(message) == len(message)
    assert stream.flush()
    received = b""
    buffer = bytearray(65536)
    while len(received) < len(message):
        count = stream.receive_into(memoryview(buffer))
        if count is None:
            assert select.select([stream], [], [], 5)[0]
            continue
        assert count
        received += buffer[:count]
    assert received == message


# Routes


def test_plain(connect, serve, handlers, attempt):
    server = serve(handlers.echo)
    stream = connect(Route("localhost", server.port, family=socket.AF_INET))
    assert_echoes(stream)
    assert attempt.peer == stream.peer == server.address
    assert attempt.local == stream.local
    assert attempt.tls is attempt.proxy is None
    assert set(attempt.timings) == {"dns", "tcp"}


def test_ipv6(connect, serve, handlers):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    server = serve(handlers.echo, host="::1")
    assert_echoes(connect(Route("::1", server.port)))


def test_tls(connect, serve, handlers, server_context, trust, attempt):
    server = serve(handlers.tls(server_context))
    assert_echoes(connect(Route("127.0.0.1", server.port, tls=trust)), b"x" * 100_000)
    assert attempt.tls["subject"]
    assert set(attempt.timings) == {"dns", "tcp", "tls"}


def test_server_hostname(connect, serve, handlers, server_context, ca_pem):
    server = serve(handlers.tls(server_context))
    settings = TLSSettings(ca_data=ca_pem, server_hostname="localhost")
    assert_echoes(connect(Route("127.0.0.2", server.port, tls=settings, connect_to=server.address)))


def test_connect_to_leaves_the_name_alone(connect, serve, handlers, server_context, trust):
    server = serve(handlers.tls(server_context))
    assert_echoes(connect(Route("localhost", 443, tls=trust, connect_to=server.address)))
    with pytest.raises(TLSError, match=r"example.com:443 \(at 127.0.0.1:\d+\).*'example.com'"):
        connect(Route("example.com", 443, tls=trust, connect_to=server.address))


@pytest.mark.parametrize("secure", [False, True])
def test_unix_socket(connect, serve, handlers, server_context, trust, attempt, tmp_path, secure):
    path = str(tmp_path / "x.sock")
    serve(handlers.tls(server_context) if secure else handlers.echo, path=path)
    assert_echoes(connect(Route("localhost", 80, tls=trust if secure else None, unix_path=path)))
    assert attempt.peer == path


def test_a_socket_that_was_given(connect, serve, handlers):
    server = serve(handlers.echo)
    given = socket.create_connection(server.address, 5)
    stream = connect(Route("example.com", 80, sock=given))
    assert stream.fileno() == given.fileno()
    # Nothing waits on it, except where a call says so.
    assert given.getblocking() is SocketStream.waits_in_calls
    assert_echoes(stream)


def test_source_address_and_options(connect, serve, handlers):
    server = serve(handlers.echo)
    options = ((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),)
    route = Route("127.0.0.1", server.port, source_address=("127.0.0.9", 0), socket_options=options)
    assert connect(route).local[0] == "127.0.0.9"


# Proxies


@pytest.mark.parametrize("secure_target", [False, True])
@pytest.mark.parametrize("secure_proxy", [False, True])
def test_proxy(
    connect,
    serve,
    handlers,
    forwarding,
    server_context,
    trust,
    attempt,
    secure_target,
    secure_proxy,
):
    target = serve(handlers.tls(server_context) if secure_target else handlers.echo)
    asked = []
    forward = forwarding(asked, target)
    through = serve(handlers.tls(server_context, forward) if secure_proxy else forward)
    proxy = Proxy(
        "https" if secure_proxy else "http",
        "127.0.0.1",
        through.port,
        "user",
        "hush",
        tls=trust if secure_proxy else None,
    )
    route = Route("localhost", 4321, tls=trust if secure_target else None, proxy=proxy)
    assert_echoes(connect(route), b"x" * 100_000)
    assert asked == ["localhost:4321"]
    assert attempt.proxy == f"{proxy.scheme}://user:***@127.0.0.1:{through.port}"
    assert (attempt.tls is not None) == secure_target
    assert "hush" not in repr(route)


def test_an_https_proxy_is_trusted_as_the_target_is(
    connect, serve, handlers, forwarding, server_context, ca_pem
):
    target = serve(handlers.tls(server_context))
    through = serve(handlers.tls(server_context, forwarding([], target)))
    proxy = Proxy("https", "localhost", through.port)
    settings = TLSSettings(ca_data=ca_pem, server_hostname="127.0.0.1")
    assert_echoes(connect(Route("elsewhere.example", 443, tls=settings, proxy=proxy)))


@pytest.mark.parametrize("verify", [True, False])
def test_a_pin_is_the_targets_also_behind_an_https_proxy(
    connect, serve, handlers, forwarding, authority, server_context, ca_pem, verify
):
    """The proxy has another certificate, and is trusted by its authority."""
    pinned = authority.issue_cert("localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    pinned.configure_cert(context)
    der = ssl.PEM_cert_to_DER_cert(pinned.cert_chain_pems[0].bytes().decode())
    target = serve(handlers.tls(context))
    through = serve(handlers.tls(server_context, forwarding([], target)))
    proxy = Proxy("https", "localhost", through.port, tls=TLSSettings(ca_data=ca_pem))
    trust = {"ca_data": ca_pem} if verify else {"verify_cert": False}
    settings = TLSSettings(fingerprint=hashlib.sha256(der).hexdigest(), **trust)
    assert_echoes(connect(Route("localhost", 443, tls=settings, proxy=proxy)))
    settings = TLSSettings(fingerprint="ab" * 32, **trust)
    with pytest.raises(TLSError, match="with localhost:443 .*not the pinned one"):
        connect(Route("localhost", 443, tls=settings, proxy=proxy))


def test_an_https_proxy_is_verified_even_if_the_target_is_not(
    connect, serve, handlers, server_context
):
    through = serve(handlers.tls(server_context))
    proxy = Proxy("https", "localhost", through.port, "user", "hush")
    settings = TLSSettings(verify_cert=False)
    with pytest.raises(TLSError, match=rf"the proxy localhost:{through.port} .*not trusted"):
        connect(Route("example.com", 443, tls=settings, proxy=proxy))


def test_what_helps_against_a_proxy_that_is_not_trusted(
    connect, serve, handlers, authority, ca_pem
):
    """`server_hostname` and the pin are the target's, and must not be tried on it in vain."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("other.example").configure_cert(context)
    proxy = Proxy("https", "localhost", serve(handlers.tls(context)).port)
    settings = TLSSettings(ca_data=ca_pem, server_hostname="other.example")
    with pytest.raises(TLSError, match="host of the proxy's URL must be one of the certificate's"):
        connect(Route("example.com", 443, tls=settings, proxy=proxy))


def test_a_proxy_that_wants_a_client_certificate(
    connect, serve, handlers, authority, server_context, ca_pem
):
    """With TLS 1.3 it says so only after the handshake."""
    server_context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(server_context)

    def judge(connection):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = server_context.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            try:
                session.do_handshake()
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                incoming.write(connection.recv(65536))
            except ssl.SSLError:
                break
        connection.sendall(outgoing.read())
        handlers.silent(connection)  # what is not read when it closes would reset the alert

    proxy = Proxy("https", "localhost", serve(judge).port, tls=TLSSettings(ca_data=ca_pem))
    with pytest.raises(TLSError, match=r"with the proxy localhost:.* a proxy is shown none"):
        connect(Route("example.com", 80, proxy=proxy))


def test_connect_to_through_a_proxy(connect, serve, handlers, forwarding):
    asked = []
    through = serve(forwarding(asked, serve(handlers.echo)))
    proxy = Proxy("http", "127.0.0.1", through.port)
    assert_echoes(connect(Route("example.com", 80, proxy=proxy, connect_to=("10.0.0.1", 81))))
    assert asked == ["10.0.0.1:81"]


def test_a_proxy_that_is_not_there(connect, refusing_port):
    proxy = Proxy("http", "127.0.0.1", refusing_port, "user", "hush")
    with pytest.raises(ProxyError) as caught:
        connect(Route("example.com", 443, proxy=proxy))
    assert str(caught.value) == (
        f"connecting to example.com:443 (through the proxy 127.0.0.1:{refusing_port}) failed "
        f"(tcp): 127.0.0.1:{refusing_port}: Connection refused"
    )


def test_a_proxy_that_has_no_address(connect):
    with pytest.raises(ProxyError, match="cannot resolve host"):
        connect(Route("example.com", 443, proxy=Proxy("http", "a" * 64, 1)))
    with pytest.raises(ProxyError, match="no interface of that name") as caught:
        connect(Route("example.com", 443, proxy=Proxy("http", "fe80::1%nosuch0", 1)))
    assert caught.value.refused


# Failures, each of which leaves nothing open (no_leaks in the outer conftest)


def test_refused(connect, refusing_port):
    with pytest.raises(ConnectError) as caught:
        connect(Route("127.0.0.1", refusing_port))
    assert str(caught.value) == (
        f"connecting to 127.0.0.1:{refusing_port} failed (tcp): "
        f"127.0.0.1:{refusing_port}: Connection refused"
    )


def test_unresolved(connect):
    with pytest.raises(ResolveError, match=r"connecting to a{64}:80 failed \(dns\)"):
        connect(Route("a" * 64, 80))


def test_what_is_known_is_kept_on_failure(connect, serve, handlers, server_context, attempt):
    server = serve(handlers.tls(server_context))
    with pytest.raises(TLSError):
        connect(Route("localhost", server.port, tls=TLSSettings(), family=socket.AF_INET))
    assert attempt.peer == server.address
    assert attempt.phase == "tls"
    assert set(attempt.timings) == {"dns", "tcp", "tls"}


def test_bad_options_are_found_before_the_network_is_used(connect, make_attempt):
    events = []
    attempt = make_attempt(5, on_event=lambda *event: events.append(event))
    with pytest.raises(OptionError, match="ssl_ca_path"):
        connect(Route("127.0.0.1", 1, tls=TLSSettings(ca_path="/none")), attempt)
    assert events == []


def test_a_given_socket_is_closed_on_failure(connect, serve, handlers):
    server = serve(lambda connection: connection.recv(1))
    given = socket.create_connection(server.address, 5)
    with pytest.raises(TLSError, match="on the socket given"):
        connect(Route("localhost", 443, sock=given, tls=TLSSettings()))
    assert given.fileno() == -1


def test_given_sockets_that_are_none(connect, serve, handlers, server_context, ca_pem):
    unconnected = socket.socket()
    with pytest.raises(OptionError, match="expected a connected socket"):
        connect(Route("localhost", 80, sock=unconnected))
    assert unconnected.fileno() == -1
    with pytest.raises(OptionError, match="got one that is closed"):
        connect(Route("localhost", 80, sock=unconnected))
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        with pytest.raises(OptionError, match="connected stream socket"):
            connect(Route("localhost", 80, sock=datagrams))
    with pytest.raises(OptionError, match="connected stream socket"):
        connect(Route("localhost", 80, sock=3))
    server = serve(handlers.tls(server_context))
    context = ssl.create_default_context(cadata=ca_pem.decode())
    plain = socket.create_connection(server.address, 5)
    with context.wrap_socket(plain, server_hostname="localhost") as secure:
        with pytest.raises(OptionError, match="expected a plain socket, got an ssl.SSLSocket"):
            connect(Route("localhost", 443, sock=secure))


@pytest.mark.parametrize("kind", ["connecting", "connected", "tls"])
def test_ctrl_c_closes_everything(
    connect, serve, handlers, server_context, trust, make_attempt, kind
):
    def interrupt(event, data):
        if event == kind:
            raise KeyboardInterrupt

    server = serve(handlers.tls(server_context))
    with pytest.raises(KeyboardInterrupt):
        connect(Route("127.0.0.1", server.port, tls=trust), make_attempt(5, on_event=interrupt))


# Bounds


@pytest.mark.slow
def test_one_deadline_for_all(connect, serve, handlers, make_attempt, trust):
    server = serve(handlers.silent)
    with pytest.raises(ConnectTimeout) as caught:
        connect(Route("127.0.0.1", server.port, tls=trust), make_attempt(1.0))
    assert caught.value.phase == "tls"
    assert f"127.0.0.1:{server.port}" in str(caught.value)


def test_cancel_before_the_dial(connect, make_attempt):
    attempt = make_attempt(5)
    attempt.cancel()
    with pytest.raises(ConnectCancelled):
        connect(Route("127.0.0.1", 1), attempt)


def test_cancel_in_tls_inside_a_tunnel(connect, serve, handlers, make_attempt, trust):
    attempt = make_attempt(None)

    def cancelling(connection):
        handlers.read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        connection.recv(1)
        attempt.cancel()
        handlers.silent(connection)

    proxy = Proxy("http", "127.0.0.1", serve(cancelling).port)
    with pytest.raises(ConnectCancelled, match="in phase 'tls'"):
        connect(Route("localhost", 443, tls=trust, proxy=proxy), attempt)


def test_events_of_a_dial(connect, serve, handlers, server_context, trust, make_attempt):
    kinds = []
    attempt = make_attempt(5, on_event=lambda kind, data: kinds.append(kind))
    server = serve(handlers.tls(server_context))
    connect(Route("127.0.0.1", server.port, tls=trust), attempt)
    assert kinds == ["resolve", "connecting", "connected", "tls"]


def test_many_dials_at_once(serve, handlers, make_attempt):
    server = serve(handlers.silent)
    failures = []

    def run():
        try:
            with make_attempt(10) as attempt:
                dial(Route("127.0.0.1", server.port), attempt).close()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert failures == []


def test_an_address_that_is_known_late(connect, serve, handlers, make_attempt, monkeypatch):
    """IPv4 is known first and refuses; IPv6 comes later, and the connection with it."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    server = serve(handlers.echo, host="::1")
    refused = threading.Event()
    real = socket.getaddrinfo

    def getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):
        if flags & socket.AI_NUMERICHOST:
            return real(host, port, family, type, proto, flags)
        if family != socket.AF_INET:
            refused.wait(10)
        # A machine of ours where nobody listens.
        address = "127.0.0.1" if family == socket.AF_INET else "::1"
        return real(address, port, family, type, proto, flags)

    def note(kind, data):
        if kind == "connecting" and "127.0.0.1" in data["address"]:
            refused.set()

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr("tieline.transport.resolve.SPLIT_DELAY", 0.0)
    monkeypatch.setattr("tieline.transport.resolve.RESOLUTION_DELAY", 0.0)
    try:
        stream = connect(Route("a.example", server.port), make_attempt(10, on_event=note))
    finally:
        refused.set()
    assert stream.peer[0] == "::1"
    assert_echoes(stream)
