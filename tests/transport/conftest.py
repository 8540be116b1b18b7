"""Loopback servers on threads, certificates and attempts for the transport's tests."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import trustme

from tieline.transport.attempt import Attempt

Handler = Callable[[socket.socket], None]

#: Seconds after which a server's socket gives up, so that a broken test ends.
PATIENCE = 10.0


class Server:
    """Gives each connection to the handler, on a thread of its own, until the test is over."""

    def __init__(self, listener: socket.socket, handler: Handler) -> None:
        self._listener = listener
        self._handler = handler
        self._connections: list[socket.socket] = []
        self.address = listener.getsockname()
        self.failures: list[BaseException] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        return self.address[1]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # stop() was called
            connection.settimeout(PATIENCE)
            self._connections.append(connection)
            self._threads.append(threading.Thread(target=self._handle, args=(connection,)))
            self._threads[-1].start()

    def _handle(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._handler(connection)
            except ConnectionError:
                pass  # the client has gone, which is what many tests are about
            except BaseException as error:
                self.failures.append(error)

    def stop(self) -> None:
        """The client's ends are closed by now, so this takes no time."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(PATIENCE)
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        for failure in self.failures:
            raise failure


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """serve(handler, host="127.0.0.1") or serve(handler, path="/a/socket")."""
    servers = []

    def start(handler: Handler, host: str = "127.0.0.1", path: str | None = None) -> Server:
        if path is not None:
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(path)
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listener = socket.socket(family, socket.SOCK_STREAM)
            listener.bind((host, 0))
        listener.listen()
        servers.append(Server(listener, handler))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def attempt() -> Iterator[Attempt]:
    """One with a deadline that no test should reach."""
    with Attempt(PATIENCE) as attempt:
        yield attempt


@pytest.fixture
def make_attempt() -> Iterator[Callable[..., Attempt]]:
    attempts = []

    def make(*arguments, **options) -> Attempt:
        attempts.append(Attempt(*arguments, **options))
        return attempts[-1]

    yield make
    for attempt in attempts:
        attempt.close()


def echo(connection: socket.socket) -> None:
    while data := connection.recv(65536):
        connection.sendall(data)


def silent(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def read_head(connection: socket.socket) -> bytes:
    """Up to and with the blank line."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = connection.recv(1)
        if not piece:
            raise ConnectionError("the client has gone")
        head += piece
    return head


@pytest.fixture
def handlers() -> type:
    """The handlers above, for tests that do not import this file."""

    class Handlers:
        echo = staticmethod(echo)
        silent = staticmethod(silent)
        read_head = staticmethod(read_head)

        @staticmethod
        def tls(context: ssl.SSLContext, inner: Handler = echo) -> Handler:
            def handler(connection: socket.socket) -> None:
                try:
                    with context.wrap_socket(connection, server_side=True) as secure:
                        inner(secure)
                except ssl.SSLError:
                    pass  # a client that refuses the certificate is what the test is about

            return handler

    return Handlers


@pytest.fixture
def refusing_port() -> Iterator[int]:
    """A port that is taken, so that nobody else gets it, but where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_pem(authority: trustme.CA) -> bytes:
    return authority.cert_pem.bytes()


@pytest.fixture(scope="session")
def server_certificate(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert("localhost", "127.0.0.1", "::1", common_name="localhost")


@pytest.fixture
def server_context(server_certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_certificate.configure_cert(context)
    return context


@pytest.fixture(scope="session")
def client_certificate(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert("client@example.com", common_name="a client")


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
