"""A server's URL and a script of faults → a port in front of it, where the faults happen."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

from tieline.testing.faults import PASS, Fault, Kind, reset
from tieline.testing.listening import BACKLOG, bind
from tieline.testing.proxied_connection import ProxiedConnection
from tieline.testing.proxied_socket import ProxiedSocket
from tieline.transport.wakeup import Wakeup

T = TypeVar("T")

#: Seconds that the proxy's thread may take for what another thread asks of it.
_ANSWER_LIMIT = 20.0

_DEFAULT_PORTS = {"ws": 80, "http": 80, "wss": 443, "https": 443}


class FaultProxy:
    """Stands between clients and a real server, passes bytes on, and lets go wrong what you say.

    ``FaultProxy(server.url, faults.reset(100), faults.PASS)``: the first fault is for the first
    connection, the second for the second, and so on; those for which there is none get through
    (`repeat`: the last fault is for them too). Clients connect to `url`. The proxy knows bytes and
    no protocol: with a ``wss:`` server it counts encrypted ones. What can go wrong is in the module
    `tieline.testing.faults`, and a fault can also `strike` while the connection is open.

    ``faults.REFUSE`` in the script closes the port as soon as it is its turn, that is, when the
    connection before it was accepted; dials are refused until `listen` or `heal` is called.

    It listens once it is made, on one thread of its own, until `close`, or to the end of its
    ``with`` block. Every method may be called from any thread, also from handlers of the client
    under test, and what it asks for has happened when it returns. Only `wait_for` waits, and never
    longer than it is told. Raises OSError when the port cannot be listened on.
    """

    def __init__(
        self,
        upstream: str,
        *script: Fault,
        host: str = "127.0.0.1",
        port: int = 0,
        repeat: bool = False,
    ) -> None:
        self._server = _server_of(upstream)
        if repeat and (not script or script[-1].kind is Kind.REFUSE):
            raise ValueError("repeat=True needs a script, and one that does not end with REFUSE")
        self._script = script
        self._repeat = repeat
        self._connections: list[ProxiedConnection] = []
        # Has the port: listens, or only keeps others from taking it.
        self._door = bind(host, port)
        self._is_listening = False
        # What `refuse` asked for, and how much of the script is over.
        self._refuses = False
        self._turn = 0
        address = self._door.getsockname()
        self._host: str = address[0]
        #: The port, also when 0 was asked for.
        self.port: int = address[1]
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        #: Where clients find the proxy: the server's URL with another host and port.
        self.url = urlunsplit(urlsplit(upstream)._replace(netloc=f"{shown}:{self.port}"))
        # How often something has happened, and who waits for that.
        self._changes = 0
        self._changed = threading.Condition()
        # What other threads ask for. Guarded by its lock, as is the end.
        self._calls: deque[tuple[Callable[[], object], Future[None]]] = deque()
        self._calls_lock = threading.Lock()
        self._closing = False
        self._failure: Exception | None = None
        self._wakeup = Wakeup()
        self._thread = threading.Thread(target=self._serve, name="fault-proxy", daemon=True)
        try:
            self._move_the_door()
            self._thread.start()
        except BaseException:
            self._door.close()
            self._wakeup.close()
            raise

    def __repr__(self) -> str:
        door = "open" if self._is_listening else "closed"
        return (
            f"<FaultProxy {self.url} to {self._server[0]}:{self._server[1]}, {door}, "
            f"{len(self._connections)} connections so far>"
        )

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # --- looking ----------------------------------------------------------------------------------

    @property
    def connections(self) -> list[ProxiedConnection]:
        """The clients so far, in the order in which they were accepted, also those that ended."""
        return list(self._connections)

    @property
    def is_listening(self) -> bool:
        """Clients are accepted; otherwise their dials are refused."""
        return self._is_listening

    def wait_for(self, predicate: Callable[[], T], timeout: float = 5.0) -> T:
        """Wait until `predicate()` is true, and return what it returned. Raises TimeoutError.

        It is asked again whenever something has happened here: a client came, bytes passed, a
        fault struck. ``proxy.wait_for(lambda: len(proxy.connections) == 2)``
        """
        deadline = time.monotonic() + timeout
        while True:
            seen = self._changes
            if found := predicate():
                return found
            with self._changed:
                left = deadline - time.monotonic()
                if self._changes == seen and not (left > 0 and self._changed.wait(left)):
                    raise TimeoutError(
                        f"it does not hold after {timeout:g} s: {self!r}, {self._connections!r}"
                    )

    # --- what a test does -------------------------------------------------------------------------

    def refuse(self) -> None:
        """Close the port: dials are refused until `listen`. What is connected stays."""
        self._call(partial(self._refuse, True))

    def listen(self) -> None:
        """Open the port again, after `refuse`, `crash` or a REFUSE of the script."""

        def open_the_door() -> None:
            if self._next_fault().kind is Kind.REFUSE:
                self._turn += 1
            self._refuse(False)

        self._call(open_the_door)

    def heal(self) -> None:
        """Nothing goes wrong any more for those who come: the script is over, the port open."""

        def forget_the_script() -> None:
            self._script, self._repeat = (), False
            self._refuse(False)

        self._call(forget_the_script)

    def strike(self, fault: Fault) -> None:
        """Let this go wrong with every connection that is open, see `ProxiedConnection.strike`."""
        for connection in self.connections:
            if connection.is_open:
                connection.strike(fault)

    def crash(self) -> None:
        """As when the server's process is killed: connections are reset, dials refused.

        `listen` starts it again, on the same port.
        """
        self.refuse()
        self.strike(reset())

    def lead_to(self, upstream: str) -> None:
        """From the next client on, another server is behind this port."""
        self._call(partial(setattr, self, "_server", _server_of(upstream)))

    def close(self) -> None:
        """Close the port and all connections, and end the thread. Idempotent.

        Raises what went wrong in the proxy itself, if anything did.
        """
        with self._calls_lock:
            if not self._closing:
                self._closing = True
                self._wakeup.set()
        self._thread.join(_ANSWER_LIMIT)
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _call(self, function: Callable[[], object]) -> None:
        """Run this on the proxy's thread, and return when it was run, or raise what it raised."""
        done: Future[None] = Future()
        with self._calls_lock:
            if self._closing:
                raise RuntimeError(f"{self!r} was closed")
            self._calls.append((function, done))
            self._wakeup.set()
        done.result(_ANSWER_LIMIT)

    # --- on the proxy's thread --------------------------------------------------------------------

    def _serve(self) -> None:
        try:
            while not self._closing:
                self._do_what_is_asked()
                for connection in self._open_connections():
                    connection.step(time.monotonic())
                self._tell()
                self._wait()
        except Exception as error:
            self._failure = error
        finally:
            with self._calls_lock:
                self._closing = True
                for _function, done in self._calls:
                    done.set_exception(RuntimeError(f"{self!r} was closed"))
            self._door.close()
            self._is_listening = False
            for connection in self._connections:
                connection.end()
            self._wakeup.close()
            self._tell()

    def _do_what_is_asked(self) -> None:
        while self._calls:
            function, done = self._calls.popleft()
            try:
                function()
            except Exception as error:
                done.set_exception(error)
            else:
                done.set_result(None)

    def _wait(self) -> None:
        """Until something is ready or due, and deal with it."""
        connections = self._open_connections()
        times = [when for one in connections if (when := one.next_time()) is not None]
        pause = max(0.0, min(times) - time.monotonic()) if times else None
        # A new one each time: it cannot remember descriptors that were closed meanwhile.
        with selectors.DefaultSelector() as selector:
            selector.register(self._wakeup.fileno(), selectors.EVENT_READ)
            if self._is_listening:
                selector.register(self._door, selectors.EVENT_READ, self._accept)
            for connection in connections:
                for one, events in connection.interests():
                    if events:
                        ready = partial(connection.on_ready, one)
                        selector.register(one.socket, events, ready)
            for key, events in selector.select(pause):
                if key.data is None:
                    self._wakeup.clear()
                else:
                    key.data(events)

    def _accept(self, _events: int) -> None:
        try:
            accepted, _address = self._door.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # that client has gone
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        fault = self._next_fault()
        self._turn += 1
        number = len(self._connections) + 1
        dial = partial(ProxiedSocket.dial, *self._server)
        connection = ProxiedConnection(ProxiedSocket(accepted), dial, number, fault, self._call)
        self._connections.append(connection)
        # Before the client's next dial: it may come as soon as the fault has struck.
        self._move_the_door()

    def _open_connections(self) -> list[ProxiedConnection]:
        return [connection for connection in self._connections if connection.is_open]

    def _tell(self) -> None:
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    def _next_fault(self) -> Fault:
        if self._turn < len(self._script):
            return self._script[self._turn]
        return self._script[-1] if self._repeat else PASS

    def _refuse(self, refuses: bool) -> None:
        self._refuses = refuses
        self._move_the_door()

    def _move_the_door(self) -> None:
        opens = not self._refuses and self._next_fault().kind is not Kind.REFUSE
        if opens and not self._is_listening:
            self._door.setblocking(False)
            self._door.listen(BACKLOG)
            self._is_listening = True
        elif self._is_listening and not opens:
            # Closing refuses also those who wait to be accepted. The next socket keeps the port.
            self._is_listening = False
            self._door.close()
            self._door = bind(self._host, self.port)


def _server_of(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    if not parts.hostname or port is None:
        raise ValueError(f"expected a server's URL, such as 'ws://127.0.0.1:8080/', got {url!r}")
    return parts.hostname, port
