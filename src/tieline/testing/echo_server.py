"""A port → a WebSocket server that sends every message back, for demonstrations and tests."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from logging import getLogger
from types import TracebackType
from typing import Any, cast

from tieline import compression as compressing
from tieline.compression import Compression
from tieline.engine.reactor import Reactor
from tieline.protocol.events import CloseInfo
from tieline.protocol.settings import Settings
from tieline.protocol.wire import CloseCode
from tieline.testing.echo_connection import EchoConnection, EchoHooks
from tieline.testing.listening import accepted_stream, listen, url_of

#: Seconds that clients have to answer the Close when the server closes.
_GOODBYE = 0.2

#: Seconds after which a hook that does not return is reported.
_HOOK_LIMIT = 2.0

#: Seconds before the next try when the system has no descriptor left for a new connection.
_ACCEPT_PAUSE = 0.1

#: Connections accepted before others have their turn.
_ACCEPTS_AT_ONCE = 64

_log = getLogger("tieline.testing")


class EchoServer:
    """A small WebSocket server on one thread: text comes back as text, binary as binary.

    It listens once it is made (port 0: a free one), and until `close`, or to the end of its `with`
    block. Pings are answered, and dead clients are found by pings of its own. A client that does
    not read what it gets back is not read any more.

    Hooks, all optional, run on the server's thread and must not block: ``on_open(connection)``;
    ``on_message(connection, message)``, whose result is sent instead of the echo (None: nothing);
    ``on_close(connection, info)``. They may call ``connection.send(...)`` and
    ``connection.close(code, reason)``. When one raises, its connection ends with 1011.

    `max_connections`: further clients wait in the system's queue until one has gone. `write_limit`
    (bytes) bounds what waits for one client, beyond the answers to what was read at once.
    `handshake_timeout`, `ping_interval` and `ping_timeout` are in seconds. `compression` is what
    the option of that name is to clients: what may be agreed on with those that offer it. Raises
    OSError when the address cannot be listened on.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        ssl_context: ssl.SSLContext | None = None,
        on_open: Callable[[EchoConnection], object] | None = None,
        on_message: Callable[[EchoConnection, Any], object] | None = None,
        on_close: Callable[[EchoConnection, CloseInfo], object] | None = None,
        subprotocols: Sequence[str] = (),
        max_connections: int = 1000,
        max_message_size: int | None = 64 * 1024 * 1024,
        write_limit: int = 1024 * 1024,
        handshake_timeout: float = 10.0,
        ping_interval: float | None = 20.0,
        ping_timeout: float | None = 20.0,
        compression: Compression = "deflate",
    ) -> None:
        accepted = compressing.compression().apply("compression", compression)
        self._hooks = EchoHooks(
            on_open=on_open,
            on_message=on_message,
            on_close=on_close,
            subprotocols=tuple(subprotocols),
        )
        self._settings = Settings(
            max_message_size=max_message_size,
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            compression=compressing.parameters_of(cast(Compression, accepted)),
        )
        self._write_limit = write_limit
        self._handshake_timeout = handshake_timeout
        self._ssl_context = ssl_context
        self._reactor = Reactor("tieline-echo-server")
        self._ended = threading.Event()
        # Only the server's thread changes these.
        self._count = 0
        self._closing = False
        listener = listen(host, port)
        #: Where clients of this machine find the server, such as ``ws://127.0.0.1:40123/``.
        self.url = url_of(listener, ssl_context is not None)
        #: The port, also when 0 was asked for.
        self.port: int = listener.getsockname()[1]
        self._acceptor = _Acceptor(
            listener,
            self._reactor,
            accepted=self._accepted,
            has_room=lambda: self._count < max_connections,
            abandoned=self._ended.set,
        )
        try:
            self._reactor.register(self._acceptor)
        except BaseException:
            listener.close()
            raise

    def __repr__(self) -> str:
        state = "closed" if self._ended.is_set() else f"{self._count} connections"
        return f"<EchoServer {self.url} {state}>"

    def __enter__(self) -> EchoServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def connections(self) -> list[EchoConnection]:
        """The clients that are connected now. Any thread."""
        served = self._reactor.registrants()
        return [one for one in served if isinstance(one, EchoConnection) and one.is_open]

    def close_connections(
        self, code: int = CloseCode.GOING_AWAY, reason: str = ""
    ) -> list[EchoConnection]:
        """Begin to close every connection that is open; return them. The server goes on."""
        connections = self.connections
        for connection in connections:
            connection.close(code, reason)
        return connections

    def wait(self, timeout: float | None = None) -> bool:
        """Block until `close` was called, here or elsewhere. False: not within `timeout` s."""
        return self._ended.wait(timeout)

    def close(self) -> None:
        """Close every connection with 1001 and stop, within half a second. Any thread; idempotent.

        From a hook it returns at once. Raises RuntimeError when a hook does not return.
        """
        if self._ended.is_set():
            return
        self._reactor.call_soon(self._acceptor, self._stop)
        if self._reactor.in_thread():
            return
        if not self._ended.wait(_HOOK_LIMIT) or not self._reactor.join(_HOOK_LIMIT):
            raise RuntimeError(f"a hook of {self!r} has not returned for {_HOOK_LIMIT:g} s")

    # --- on the server's thread -----------------------------------------------------------------

    def _accepted(self, accepted: socket.socket) -> None:
        stream = accepted_stream(accepted, self._ssl_context)
        self._count += 1
        self._reactor.register(
            EchoConnection(
                self._reactor,
                stream,
                self._hooks,
                self._settings,
                write_limit=self._write_limit,
                handshake_timeout=self._handshake_timeout,
                on_ended=self._on_ended,
            )
        )

    def _on_ended(self, connection: EchoConnection) -> None:
        self._count -= 1
        if self._closing:
            self._note_end()
        else:
            self._acceptor.watch()

    def _stop(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._acceptor.stop()
        give_up_at = self._reactor.now() + _GOODBYE
        for registrant in self._reactor.registrants():
            assert isinstance(registrant, EchoConnection)
            registrant.close(CloseCode.GOING_AWAY)
            self._reactor.call_at(give_up_at, registrant, registrant.abort)
        self._note_end()

    def _note_end(self) -> None:
        if not self._count:
            self._ended.set()


class _Acceptor:
    """A listening socket → accepted sockets, while there is room, on a reactor."""

    def __init__(
        self,
        listener: socket.socket,
        reactor: Reactor,
        *,
        accepted: Callable[[socket.socket], None],
        has_room: Callable[[], bool],
        abandoned: Callable[[], None],
    ) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._reactor = reactor
        self._accepted = accepted
        self._has_room = has_room
        self._abandoned = abandoned
        # The reactor's own.
        self.is_served = False
        self.served_as = self.watched_for = 0

    def fileno(self) -> int:
        return self._listener.fileno()

    def on_registered(self) -> None:
        self.watch()

    def on_readable(self, now: float) -> None:
        for _ in range(_ACCEPTS_AT_ONCE):
            if not self._has_room():
                self.watch()
                return
            try:
                accepted, _address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                # ECONNABORTED: that client has gone. EMFILE: no descriptor is left for now, and
                # the client stays in the queue, so that trying at once would spin.
                _log.warning("a connection could not be accepted: %s", error)
                self._reactor.watch(self, readable=False, writable=False)
                self._reactor.call_at(now + _ACCEPT_PAUSE, self, self.watch)
                return
            try:
                self._accepted(accepted)
            except OSError as error:
                _log.debug("a client has gone before it was served: %s", error)

    def watch(self) -> None:
        """Accept while there is room; otherwise leave new clients in the system's queue."""
        self._reactor.watch(self, readable=self._has_room(), writable=False)

    def stop(self) -> None:
        """Listen no more."""
        self._reactor.unregister(self)
        self._listener.close()

    def on_writable(self) -> None:
        """Never asked for."""

    def slept(self, seconds: float) -> None:
        """Those who have waited are accepted as ever."""

    def fail(self, error: Exception) -> None:
        _log.error("the server cannot accept clients", exc_info=error)

    def abandon_after_fork(self) -> None:
        self._listener.close()
        self._abandoned()
