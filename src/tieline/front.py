"""A line → what every front can be asked, whoever drives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NoReturn

from tieline.absent import names_there
from tieline.engine.fragments import send_fragments, send_whole
from tieline.engine.handlers import misplaced
from tieline.engine.line import Line
from tieline.engine.payloads import encode_payload, fragments_of
from tieline.engine.receipts import Fate
from tieline.engine.session import Session
from tieline.engine.stats import Stats
from tieline.engine.unsent import Data, Unsent, check_when_offline
from tieline.errors import ConnectionClosed, OptionError
from tieline.options import Options
from tieline.protocol.events import CloseInfo
from tieline.protocol.handshake import HandshakeResponse
from tieline.protocol.state import State
from tieline.protocol.wire import CloseCode, Opcode
from tieline.redact import safe_subprotocol, safe_url

#: The codes after which an iteration just ends; others are raised (RFC 6455 section 7.4.1).
ORDERLY = (CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY)

#: What becomes of a message while there is no connection.
WhenOffline = Literal["raise", "queue", "drop"]


class Front:
    """What can be asked of a connection, on any thread and at any time."""

    # Nothing but the line is kept: there may be thousands, and another attribute, unless a user
    # sets one, would give each a dictionary.
    _line: Line

    if not TYPE_CHECKING:
        # (A type checker finds every name that is not there.)

        #: What its options and handlers are given to. Not the same for a user's class, which has
        #: attributes of its own: each front of ours says it anew.
        _made_by = ""

        def __setattr__(self, name: str, value: object) -> None:
            kind = type(self)
            is_ours = "_made_by" in vars(kind)
            if is_ours or not hasattr(kind, name):
                told = misplaced(name, self._made_by, is_ours)
                if told:
                    raise AttributeError(told)
            object.__setattr__(self, name, value)

        def __dir__(self) -> list[str]:
            return names_there(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.safe_url!r} {self.state.value}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        # (Not `__reduce_ex__`, which asks this: a user's class may say how it is made anew.)
        # A copy would end the connection of both as soon as one of them is collected.
        raise TypeError(
            f"{type(self).__name__}: a connection cannot be copied or pickled; "
            "make another one with the same options"
        )

    @property
    def options(self) -> Options:
        """What it was made with."""
        return self._line.options

    def is_open(self) -> bool:
        """True only while messages can be sent."""
        while True:
            session = self._line.present
            if session is not None and session.is_open:
                return True
            if self._line.present is session:  # and not another one since
                return False

    isOpen = is_open  # the spelling of the system that tieline grew from

    @property
    def state(self) -> State:
        """Where the client is in its life."""
        return self._line.state

    @property
    def url(self) -> str:
        """The URL as it was given.

        Of several the one that was dialled last, masked, and before any dial the first; of a
        callable the one that it gave last, masked (or "").
        """
        first = self.options.urls[0]
        if isinstance(self.options.url, str):
            return self.options.url
        dialled: str = self._line.info.get("url", "")
        return first if not dialled and isinstance(first, str) else dialled

    @property
    def safe_url(self) -> str:
        """The URL without password and secret query values, for logs."""
        return safe_url(self.url)

    @property
    def response(self) -> HandshakeResponse | None:
        """The server's answer that opened the last connection, or None."""
        return self._line.response

    @property
    def subprotocol(self) -> str | None:
        """What the server chose of ``subprotocols``, or None."""
        return None if self.response is None else self.response.subprotocol

    @property
    def close_info(self) -> CloseInfo | None:
        """How the last connection ended, or None while there was none that did."""
        return self._line.close_info

    @property
    def connection_id(self) -> int:
        """The connection's process-wide number, which also stands in log lines; -1 without one."""
        session = self._line.present
        return -1 if session is None else session.connection_id

    @property
    def latency(self) -> float | None:
        """The last round trip of a Ping in seconds, or None."""
        return self._line.recorder.last_round_trip

    def stats(self) -> Stats:
        """What the client has done so far; usable at any time."""
        return self._line.stats()

    def reset_stats(self) -> None:
        """Count from zero."""
        self._line.recorder.reset()

    def connection_info(self) -> dict[str, Any]:
        """Addresses, TLS, proxy, timings and state, secrets masked; usable at any time."""
        chosen = self.subprotocol
        return {
            **self._line.info,
            "url": self.safe_url,
            "connection_id": self.connection_id,
            "state": self.state.value,
            "subprotocol": None if chosen is None else safe_subprotocol(chosen),
        }

    def _session(self) -> Session:
        """The connection that messages go to. Raises `ConnectionClosed` when there is none."""
        session = self._line.session
        if session is None:
            raise ConnectionClosed("not connected: call connect() first")
        return session

    def _check_redial(self) -> None:
        """Raises OptionError where that cannot be done: what is up stays so."""
        if self._line.options.sock is not None and self._line.session is not None:
            raise OptionError(
                "option 'sock': the socket serves for one connection, and was used up by the "
                "first; connect another socket, and make another client or connection with it"
            )

    # --- messages that are noted --------------------------------------------------------------

    def _new_unsent(
        self,
        opcode: Opcode,
        payload: Data,
        compress: bool | None,
        when_offline: str | None,
        receipt: Fate | None,
    ) -> Unsent:
        keeps = check_when_offline(when_offline, self.options.offline) == "queue"
        return Unsent(opcode, payload, compress, self._line.reactor.now(), receipt, keeps)

    def _new_last(self, receipt: Fate | None) -> Unsent | None:
        """What stands for the last of a message's fragments."""
        if receipt is None:
            return None
        return Unsent(Opcode.BINARY, b"", None, self._line.reactor.now(), receipt)

    def _new_mark(self, receipt: Fate) -> Unsent:
        now = self._line.reactor.now()
        return Unsent(None, b"", None, now, receipt, self.options.offline == "queue")

    def _send_noted(
        self,
        message: object,
        compress: bool | None,
        when_offline: str | None,
        receipt: Fate | None,
    ) -> None:
        """Send it, or keep it for later, or drop it. Any thread."""
        encoded = encode_payload(message)
        if encoded is not None:
            self._send_or_queue(*encoded, compress, when_offline, receipt)
            return
        check_when_offline(when_offline, "")
        pieces = fragments_of(message)
        try:
            session = self._session()
            session.sender.check_compression(compress)
            send_fragments(session, pieces, compress is not False, self._new_last(receipt))
        except ConnectionClosed as error:
            self._refuse_now(error, "an iterable is")

    def _send_or_queue(
        self,
        opcode: Opcode,
        payload: Data,
        compress: bool | None,
        when_offline: str | None,
        receipt: Fate | None,
    ) -> None:
        unsent = self._new_unsent(opcode, payload, compress, when_offline, receipt)
        try:
            session = self._session()
            session.sender.check_compression(compress)
            send_whole(session, opcode, payload, compress, unsent)
        except ConnectionClosed:
            self._line.resumption.send_later(unsent, when_offline)

    def _send_again(self, message: object, compress: bool | None, error: ConnectionClosed) -> None:
        """A connection has refused it with `error`: maybe it was replaced meanwhile."""
        if not isinstance(message, str | bytes | bytearray | memoryview):
            # Some of its pieces may be gone.
            self._refuse_now(error, "an iterable is")
        if not self.is_open():
            raise self._line.resumption.refusal(error) from error.__cause__
        self._send_noted(message, compress, "raise", None)

    def _mark(self, mark: Unsent) -> None:
        try:
            self._session().speaker.unsent(mark)
        except ConnectionClosed:
            waits = mark.is_kept or self._line.resumption.waiting > 0
            self._line.resumption.send_later(mark, "queue" if waits else "raise")

    def _refuse_now(self, error: ConnectionClosed, what: str) -> NoReturn:
        """`error` was about what is sent now or never: raise it, or what says more."""
        refusal = self._line.resumption.now_or_never(error, what)
        if refusal is error:
            raise error
        raise refusal from error
