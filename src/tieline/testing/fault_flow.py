"""Bytes of one direction, and a fault among them → the bytes that come out, and when."""

from __future__ import annotations

from tieline.testing.faults import PASS, Direction, Fault, Kind

#: Bytes that one direction holds before its source is not read for a while.
_ROOM = 256 * 1024

#: Nothing of what comes after these have struck comes out again.
_LOSING = (Kind.RESET, Kind.CUT, Kind.HALF_CLOSE, Kind.BLACK_HOLE, Kind.GARBAGE)


class FaultFlow:
    """No socket and no clock: bytes go in with `receive` and come out of `release`."""

    def __init__(self, direction: Direction, fault: Fault = PASS) -> None:
        self.direction = direction
        #: Bytes that came out: the source's, not what stood in their place.
        self.passed = 0
        #: Bytes that vanished.
        self.lost = 0
        # What came and was not judged yet.
        self._held = bytearray()
        # DRIP: bytes that the test lets through; the time of the next ones.
        self._allowance = 0
        self._next_time = 0.0
        self._is_over = False
        self.strike(fault)

    def __repr__(self) -> str:
        struck = " (struck)" if self.has_struck else ""
        return (
            f"<{self.direction}: {self.passed} bytes passed, {self.lost} lost, "
            f"{len(self._held)} held, {self.fault}{struck}>"
        )

    def strike(self, fault: Fault) -> None:
        """This fault from here on, and no other: its bytes are counted from now."""
        #: What goes wrong in this direction.
        self.fault = fault if self.direction in fault.directions else PASS
        # Bytes to its place; None while `past` has not been seen.
        self._distance = None if self.fault.past else self.fault.at
        #: That place has been reached.
        self.has_struck = self._distance == 0
        # The last bytes that came out, which may be the beginning of `past`.
        self._tail = b""
        self._has_replaced = False

    def receive(self, data: bytes) -> None:
        """The source sent this."""
        self._held += data

    def lose_all(self) -> None:
        """Whatever is held, or still comes, vanishes."""
        self._is_over = True

    def let_through(self, count: int) -> None:
        """A drip without an interval gives so many bytes more."""
        self._allowance += count

    @property
    def wants_input(self) -> bool:
        """The source should be read. Never while it is stalled."""
        return len(self._held) < _ROOM and not self.is_stalled

    @property
    def is_stalled(self) -> bool:
        """What comes is neither read nor lost."""
        return self._is(Kind.STALL) and not self._is_over

    @property
    def has_lost_its_end(self) -> bool:
        """The source's FIN or RST vanishes as its bytes do."""
        return self._is(Kind.BLACK_HOLE)

    @property
    def is_empty(self) -> bool:
        """All that came has come out, or vanished."""
        return not self._held

    def next_time(self) -> float | None:
        """When `release` has something to do again; None: not before something happens."""
        waits = self._is(Kind.DRIP) and self.fault.interval is not None and self._held
        return self._next_time if waits else None

    def release(self, now: float) -> bytes:
        """What comes out now. `now` in seconds, of any clock that does not go back."""
        if self._is_over:
            self._lose()
            return b""
        released = b""
        if not self.has_struck:
            released = self._take(self._before_the_fault())
            self.has_struck = self._distance == 0
        if self.has_struck and self._held:
            released += self._at_the_fault(now)
        return released

    # --- inside ---------------------------------------------------------------------------------

    def _is(self, kind: Kind) -> bool:
        return self.has_struck and self.fault.kind is kind

    def _before_the_fault(self) -> int:
        """How many of the held bytes are on this side of the place where the fault strikes."""
        count = len(self._held)
        if self._distance is None:
            past = self.fault.past
            seen = self._tail + self._held
            found = seen.find(past)
            if found < 0:
                self._tail = bytes(seen[max(0, len(seen) - len(past) + 1) :])
                return count
            self._distance = found + len(past) - len(self._tail) + self.fault.at
        taken = min(count, self._distance)
        self._distance -= taken
        return taken

    def _at_the_fault(self, now: float) -> bytes:
        fault = self.fault
        if fault.kind in _LOSING:
            self._lose()
            if fault.kind is Kind.GARBAGE and not self._has_replaced:
                self._has_replaced = True
                return fault.data
            return b""
        if fault.kind is Kind.STALL:
            return b""
        if fault.kind is Kind.DRIP:
            return self._take(self._drops(now))
        return self._take(len(self._held))

    def _drops(self, now: float) -> int:
        if self.fault.interval is None:
            count = min(self._allowance, len(self._held))
            self._allowance -= count
            return count
        if now < self._next_time:
            return 0
        self._next_time = now + self.fault.interval
        return self.fault.size

    def _lose(self) -> None:
        self.lost += len(self._held)
        self._held.clear()

    def _take(self, count: int) -> bytes:
        taken = bytes(self._held[:count])
        del self._held[:count]
        self.passed += len(taken)
        return taken
