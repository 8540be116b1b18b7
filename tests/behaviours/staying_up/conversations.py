"""An echo server whose connections come and go → what was said on each, in order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tests.fronts import PATIENCE


class Conversations:
    """The hooks of an `EchoServer`: one list of messages for each connection, in their order."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._of: dict[Any, list[str | bytes]] = {}
        #: Asked for the answer to each message; None: nothing is answered.
        self.answer: Callable[[Any, Any], Any] = lambda connection, message: message

    def on_open(self, connection: Any) -> None:
        with self._changed:
            self._of[connection] = []
            self._changed.notify_all()

    def on_message(self, connection: Any, message: str | bytes) -> Any:
        with self._changed:
            self._of[connection].append(message)
            self._changed.notify_all()
        return self.answer(connection, message)

    @property
    def connections(self) -> list[Any]:
        """The server's ends, also those that have ended."""
        with self._changed:
            return list(self._of)

    @property
    def all(self) -> list[list[str | bytes]]:
        """What was said on each connection so far."""
        with self._changed:
            return [said.copy() for said in self._of.values()]

    @property
    def counts(self) -> list[int]:
        """How much was said on each, without a copy: what is asked after each of many messages."""
        with self._changed:
            return [len(said) for said in self._of.values()]

    def wait_for(self, *said: list[str | bytes]) -> None:
        """So many connections, on which exactly this was said."""
        self.wait_until(lambda: self.all == list(said), f"{said}")

    def wait_until(self, holds: Callable[[], object], wanted: str = "it") -> None:
        """For something about what was said."""
        with self._changed:
            came = self._changed.wait_for(holds, PATIENCE)
            assert came, f"expected {wanted}, but was told {[one[-20:] for one in self.all]}"
