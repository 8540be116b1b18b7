"""One client of a fault proxy and the server behind it → what each sends, faults among it."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Iterator

from tieline.testing.fault_flow import FaultFlow
from tieline.testing.faults import Fault, Kind
from tieline.testing.proxied_socket import PIECE, ProxiedSocket

#: Runs a function on the proxy's thread, and returns when it has run.
Call = Callable[[Callable[[], object]], None]

#: Once one of these has struck, a server has nothing to do.
_ENDINGS = (Kind.RESET, Kind.CUT)


class ProxiedConnection:
    """What a `FaultProxy` does with one client. Attributes and methods are for any thread."""

    def __init__(
        self,
        client: ProxiedSocket,
        dial: Callable[[], ProxiedSocket],
        number: int,
        fault: Fault,
        call: Call,
    ) -> None:
        #: 1 for the first client of the proxy.
        self.number = number
        #: What the script has for it.
        self.fault = fault
        #: When it was accepted: seconds, of `time.monotonic`.
        self.accepted_at = time.monotonic()
        #: When both of its sockets were closed, or None.
        self.ended_at: float | None = None
        #: What became of the bytes of each direction.
        self.to_server = FaultFlow("to_server", fault)
        self.to_client = FaultFlow("to_client", fault)
        self._call = call
        self._dial = dial
        self._client = client
        # None until there is a reason to dial it.
        self._server: ProxiedSocket | None = None
        # CUT has struck: only the FIN of both is awaited.
        self._is_cut = False

    def __repr__(self) -> str:
        state = "open" if self.is_open else "ended"
        return f"<ProxiedConnection {self.number} {state}, {self.to_server!r}, {self.to_client!r}>"

    @property
    def is_open(self) -> bool:
        """At least one of its sockets is open."""
        return self.ended_at is None

    @property
    def has_struck(self) -> bool:
        """The fault has happened, in one direction at least."""
        return any(
            flow.has_struck and flow.fault.kind is not Kind.PASS
            for flow in (self.to_server, self.to_client)
        )

    @property
    def server_error(self) -> OSError | None:
        """Why the server could not be reached, or has broken the line."""
        return None if self._server is None else self._server.error

    def strike(self, fault: Fault) -> None:
        """Let this go wrong from now on, in the place of what did so far; `PASS` heals.

        Its bytes are counted from now. What has vanished does not come back.
        """
        if fault.kind is Kind.REFUSE:
            raise ValueError("REFUSE is for dials, not for a connection: call FaultProxy.refuse()")

        def change() -> None:
            self.fault = fault
            self.to_server.strike(fault)
            self.to_client.strike(fault)

        self._call(change)

    def let_through(self, count: int = 1) -> None:
        """So many more bytes of each direction that has a `drip` without an interval."""

        def add() -> None:
            self.to_server.let_through(count)
            self.to_client.let_through(count)

        self._call(add)

    def close(self) -> None:
        """Close both sockets at once. Idempotent."""
        self._call(self.end)

    # --- on the proxy's thread --------------------------------------------------------------------

    def interests(self) -> Iterator[tuple[ProxiedSocket, int]]:
        """The sockets that are open, and what each is to be watched for."""
        for flow, source, sink in self._ways():
            if source is not None:
                has_room = sink is None or len(sink.pending) < PIECE
                yield source, source.events(wants_input=flow.wants_input and has_room)

    def next_time(self) -> float | None:
        """When `step` has something to do, unless a socket is ready before."""
        times = [flow.next_time() for flow in (self.to_server, self.to_client)]
        return min((when for when in times if when is not None), default=None)

    def on_ready(self, ready: ProxiedSocket, events: int) -> None:
        """A selector found this socket ready."""
        if ready.is_closed:
            return
        if not ready.is_connected:
            ready.has_connected()
        elif events & selectors.EVENT_READ:
            flow = self.to_server if ready is self._client else self.to_client
            flow.receive(ready.read())

    def step(self, now: float) -> None:
        """Let pass what passes, and let happen what happens."""
        if self.ended_at is not None:
            return
        if self._server is None and self._needs_a_server():
            self._server = self._dial()
        for flow, _source, sink in self._ways():
            released = flow.release(now)
            if sink is not None and not sink.is_closed:
                sink.pending += released
                sink.write()
        for flow, _source, sink in self._ways():
            if flow.has_struck and (sink is None or not sink.pending):
                self._take_effect(flow.fault.kind, sink)
        if self._is_cut:
            for one in self._sockets():
                one.shut()
        else:
            for flow, source, sink in self._ways():
                self._pass_the_end_on(flow, source, sink)
        if all(one.is_closed or (one.has_ended and one.is_shut) for one in self._sockets()):
            self.end()

    def end(self) -> None:
        """Close what is open."""
        for one in self._sockets():
            one.close()
        if self.ended_at is None:
            self.ended_at = time.monotonic()

    # --- inside -----------------------------------------------------------------------------------

    def _sockets(self) -> list[ProxiedSocket]:
        return [self._client] if self._server is None else [self._client, self._server]

    def _ways(self) -> tuple[tuple[FaultFlow, ProxiedSocket | None, ProxiedSocket | None], ...]:
        return (
            (self.to_server, self._client, self._server),
            (self.to_client, self._server, self._client),
        )

    def _needs_a_server(self) -> bool:
        flows = (self.to_server, self.to_client)
        return not self._is_cut and not (
            all(flow.is_stalled for flow in flows)
            or any(flow.has_struck and flow.fault.kind in _ENDINGS for flow in flows)
        )

    def _take_effect(self, kind: Kind, sink: ProxiedSocket | None) -> None:
        """All bytes before the fault were written: what else it does."""
        if kind is Kind.RESET:
            for one in self._sockets():
                one.reset()
        elif kind is Kind.CUT:
            # Closing now would make a reset of it, if there are bytes that were not read.
            self._is_cut = True
            self.to_server.lose_all()
            self.to_client.lose_all()
        elif kind is Kind.HALF_CLOSE and sink is not None:
            sink.shut()

    def _pass_the_end_on(
        self, flow: FaultFlow, source: ProxiedSocket | None, sink: ProxiedSocket | None
    ) -> None:
        if source is None or sink is None or flow.has_lost_its_end or not flow.is_empty:
            return
        if source.error is not None:
            if not sink.pending:
                sink.reset()
        elif source.has_ended:
            sink.shut()
