# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Options → one numbered attempt to connect, its log and its record."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

from tieline.engine.connecting import Connected, connect, connection_settings
from tieline.engine.handlers import Handlers
from tieline.engine.log import DEBUG, ConnectionLog
from tieline.engine.record import Record
from tieline.engine.route import target_of
from tieline.options import Options
from tieline.request_checks import HeaderPairs, URLSource
from tieline.transport.attempt import Attempt

if TYPE_CHECKING:
    from tieline.events import ConnectionEvent

_connection_ids = count(1)

#: Tells an event.
Emit = Callable[["ConnectionEvent"], None]


class Dial:
    """One attempt of a line. Made on any thread; `connect` runs on the thread that dials."""

    def __init__(
        self,
        options: Options,
        handlers: Handlers,
        url: URLSource,
        headers: HeaderPairs,
        timeout: float,
        info: dict[str, Any] | None,
        clock: Callable[[], float],
        emit: Emit,
    ) -> None:
        self.connection_id = next(_connection_ids)
        self.log = ConnectionLog(options.logger, self.connection_id)
        #: What happens, as it becomes known.
        self.record = Record()
        # The user's, who wants to know of it too.
        self._info = info
        self._options = options
        self._handlers = handlers
        self._url = url
        self._headers = headers
        #: Where the events go, on the thread that dials.
        self.emit = emit
        #: The thread that dials, once it does.
        self.thread: int | None = None
        # Most programs neither want events nor log at this level: then nothing is prepared.
        self._logs = self.log.isEnabledFor(DEBUG)
        self._is_heard = self._logs or handlers.on_event is not None
        self.attempt = Attempt(timeout, clock, self._tell_phase if self._is_heard else None)
        if timeout != options.connect_timeout:
            self.attempt.bound = "timeout"  # the argument of connect()

    def connect(self) -> Connected:
        """Dial and upgrade, on the calling thread. Raises ConnectError and OptionError."""
        options, record = self._options, self.record
        self.thread = threading.get_ident()
        try:
            url = self._url
            text = url if isinstance(url, str) else options.attempt_url(url)
            record.url = text
            target = target_of(options, text, self._headers)
            inspect = self._handlers.on_frame is not None or options.frame_events
            kept = {} if target.place is None else target.place.shared.settings
            settings = kept.get(inspect)
            if settings is None:
                settings = kept[inspect] = connection_settings(options, inspect)
            tell = self._tell if self._is_heard else None
            return connect(target, settings, self.attempt, record, tell)
        finally:
            try:
                self.attempt.close()
            finally:  # Ctrl-C
                if self._info is not None:
                    record.fill(self._info)

    def _tell_phase(self, kind: str, data: dict[str, Any]) -> None:
        from tieline.events import DIAL_EVENTS  # loaded where somebody listens

        self._tell(DIAL_EVENTS[kind], **data)

    def _tell(self, kind: type[ConnectionEvent], **data: Any) -> None:
        if self._logs:
            self.log.debug("%s %s", kind.__name__, data)
        if self._handlers.on_event is not None:
            self.emit(kind(time=time.monotonic(), connection_id=self.connection_id, **data))
