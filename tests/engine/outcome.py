"""A URL and options → what one call of `engine.connecting.connect` did."""

from __future__ import annotations

from typing import Any

from tieline.engine.connecting import Connected, connect, connection_settings
from tieline.engine.record import Record
from tieline.engine.route import Target, parse_options_url
from tieline.errors import ConnectError, ConnectTimeout, OptionError
from tieline.options import Options
from tieline.transport.attempt import Attempt

SOON = 20.0


class Outcome:
    """What one call of `connect` did."""

    def __init__(self, url: str, timeout: float = SOON, **options: Any) -> None:
        self.info: dict[str, Any] = {}
        self.events: list[tuple[type, dict[str, Any]]] = []
        made = Options.build(url, {"proxy": None} | options)
        target = Target(made, parse_options_url(made, url), made.attempt_headers())
        self.error: BaseException | None = None
        self.connected: Connected | None = None
        self.record = record = Record()
        with Attempt(timeout) as self.attempt:
            try:
                self.connected = connect(
                    target, connection_settings(made, False), self.attempt, record, self._tell
                )
            except (ConnectError, ConnectTimeout, OptionError, OSError) as error:
                self.error = error
            else:
                self.connected.stream.close()
        record.fill(self.info)

    def _tell(self, kind: type, **data: Any) -> None:
        self.events.append((kind, data))
        if data.get("url", "").endswith("cancel"):
            self.attempt.cancel()

    @property
    def is_open(self) -> bool:
        """True, or the error is raised."""
        if self.error is not None:
            raise self.error
        return True

    def told(self, kind: type) -> list[dict[str, Any]]:
        """The data of all events of this kind."""
        return [data for each, data in self.events if each is kind]

    def __repr__(self) -> str:
        """All that a user can see of it."""
        return f"{self.info!r} {self.events!r} {self.error!r} {self.connected!r}"


def accept(peer: Any) -> None:
    peer.accept_upgrade(headers=[("X-Server", "me")])
    peer.expect_end()
