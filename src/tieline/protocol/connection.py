# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Bytes and time → messages and bytes: one WebSocket connection, from its handshake to its end."""

from __future__ import annotations

from collections.abc import Callable

from tieline.errors import HandshakeError, MessageTooBig, ProtocolError
from tieline.protocol.close import answer_to, check_close, close_for, decode_close
from tieline.protocol.closing import Closing
from tieline.protocol.events import (
    Close,
    Closed,
    CloseInfo,
    ClosingStarted,
    Event,
    Frame,
    HandshakeFailed,
    Opened,
    PingReceived,
    PongReceived,
    closing_in_order,
)
from tieline.protocol.inspection import FrameInspector
from tieline.protocol.leftover import messages_left
from tieline.protocol.messages import MessageAssembler
from tieline.protocol.opening import ClientOpening, Fields, ServerOpening
from tieline.protocol.outgoing import Outgoing
from tieline.protocol.settings import Settings
from tieline.protocol.state import (
    CLOSE_RECEIVED,
    CLOSE_SENT,
    CLOSED,
    CLOSING,
    CONNECTING,
    ENDED,
    FAILED,
    OPEN,
    TRANSITIONS,
    UPGRADED,
    Trigger,
)
from tieline.protocol.upkeep import Upkeep
from tieline.protocol.wire import PING, PONG, CloseCode


class Connection:
    """One side of a WebSocket connection (RFC 6455), for a driver that owns stream and clock.

    The driver hands over what it reads (`receive_data`), pulls events until there are none
    (`next_event`), sends through `outgoing`, writes what `data_to_send` holds, calls `on_time` at
    `next_deadline`, and closes the stream after `Closed` or `HandshakeFailed`.

    Owned by one thread at a time. `endpoints` has the functions that make one.
    """

    def __init__(
        self,
        opening: ClientOpening | ServerOpening,
        settings: Settings,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._settings = settings
        is_client = isinstance(opening, ClientOpening)
        self.state = CONNECTING
        #: Where messages, Pings and Pongs are sent.
        self.outgoing = Outgoing(random_bytes if is_client else None)
        self._opening: ClientOpening | ServerOpening | None = opening
        #: What `next_event` returns before it looks for more.
        self.events: tuple[Event | list[str | bytes], ...] = ()
        assembler = FrameInspector if settings.inspect_frames else MessageAssembler
        #: Read side, for drivers that decode by themselves.
        self.assembler = assembler(
            not is_client, settings.max_message_size, settings.max_fragments, settings.decode_text
        )
        self._pings_received = self._pongs_received = 0
        #: Where the driver tells of signs of life beside what it hands over.
        self.keepalive = Upkeep(settings, random_bytes)
        self._made_closing: Closing | None = None

    @property
    def close_info(self) -> CloseInfo | None:
        """How the connection ended, or None. Any thread."""
        return self.outgoing.close_info

    # --- what the driver does -----------------------------------------------------------------

    def receive_data(self, data: bytes | bytearray, end: int, now: float) -> None:
        """Hand over ``data[:end]``, which stays unchanged until `next_event` has returned None."""
        if self._opening is not None:
            self._opening.receive_data(bytes(data[:end]))
        elif not self.assembler.is_deaf:
            self.keepalive.heard(now)
            self.assembler.feed(data, end)

    @property
    def receive_target(self) -> memoryview | None:
        """Where to read to, asked before each read and not kept. None: to the driver's memory."""
        return self.assembler.target

    def received_directly(self, count: int, now: float) -> None:
        """So many bytes were read to `receive_target`."""
        self.keepalive.heard(now)
        self.assembler.received_directly(count)

    def receive_eof(self) -> None:
        """The stream has ended; noticed when the bytes before it are used up."""
        self.assembler.at_eof = True
        if self._opening is not None:
            self._opening.receive_eof()

    def connection_lost(self, error: Exception | None) -> None:
        """The stream died under the driver, or (None) the driver drops it on purpose."""
        if self.state is not CLOSED:
            # Many peers reset the stream after the closing handshake, which takes nothing away.
            self._end(None if self._closing().is_settled else error)

    def next_event(self, now: float) -> Event | list[str | bytes] | None:
        """The next event, or None when there is nothing more to tell before more bytes come."""
        while not self.events:
            if self.state is CLOSED:
                return None
            if self._opening is not None:
                return self._next_of_opening(now)
            if not self.assembler.is_deaf:
                try:
                    item = self.assembler.next_batch()
                    if isinstance(item, Frame):
                        self._on_control(item, now)
                        continue
                except (ProtocolError, MessageTooBig) as error:
                    # `CloseInfo` keeps the error; its traceback would keep the buffers as well.
                    error.__traceback__ = error.__context__ = None
                    self.fail(error, error.close_code, now)
                    continue
                if item is not None:
                    return item
            if not self.assembler.at_eof:
                return None
            self._end(self._closing().stream_ended())
        event, self.events = self.events[0], self.events[1:]
        return event

    @property
    def is_listening(self) -> bool:
        """Would `next_event` look for messages, having nothing else to tell?"""
        return not self.events and not self.assembler.is_deaf

    def keep_unread(self) -> None:
        """The driver asks for no more events now, and needs the memory of what it handed over."""
        self.assembler.keep()

    @property
    def is_broken(self) -> bool:
        """The peer broke a rule behind the messages returned last: `next_event` will act on it."""
        return self.assembler.failure is not None and not self.assembler.is_deaf

    def data_to_send(self) -> list[bytes | bytearray]:
        """What to write, in order; each byte string is handed out once."""
        return self.outgoing.take_bytes()

    def next_deadline(self) -> float | None:
        """When to call `on_time`, or None. Received bytes only ever move it later."""
        if self.state is OPEN:
            return self.keepalive.due_at()
        return self._closing().deadline if self.state is CLOSING else None

    def on_time(self, now: float, heard_until: float | None = None, unsent: int = 0) -> None:
        """Do what is due, once what there was to read was read; `next_event` then tells of it.

        What came before `heard_until` (None: `now`) was read; `unsent` bytes wait to be taken.
        """
        if self.state is OPEN:
            told = self.keepalive.keep_up(now, heard_until, self.outgoing)
            if told is None:
                error = TimeoutError(self.keepalive.explain(now, unsent))
                close = Close(CloseCode.INTERNAL_ERROR, "keepalive ping timeout")
                self._closing_started(FAILED, ClosingStarted(close, None, error), now)
                self._end(error)
            else:
                self.events += told
        elif self.state is CLOSING:
            deadline = self._closing().deadline
            if deadline is not None and now >= deadline:
                self._end(self._closing().timed_out())

    def slept(self, now: float, seconds: float) -> None:
        """The machine was asleep, or its clock was set: ask the peer at once if it is there."""
        if self.state is OPEN:
            told = self.keepalive.ask_after_sleep(now, seconds, self.outgoing)
            self.events += told

    def send_close(self, code: int, reason: str, now: float) -> None:
        """Begin the closing handshake (section 7.1.2). A no-op when it has begun already."""
        close = check_close(code, reason)
        if self.state is OPEN:
            told = closing_in_order(close, None)
            self._closing_started(CLOSE_SENT, told, now)

    def fail(self, error: Exception, code: int, now: float) -> None:
        """Section 7.1.7: tell the peer why with a Close frame, and listen no more."""
        if self.state not in (OPEN, CLOSING):
            return
        close = close_for(error, code) if self.state is OPEN else self._closing().sent
        told = ClosingStarted(close, self._closing().received, error)
        self._closing_started(FAILED, told, now)

    def counters(self) -> dict[str, int]:
        """Statistics since the start, by their names in `Traffic`."""
        return {
            **self.outgoing.counters(),
            "messages_received": self.assembler.messages,
            "frames_received": self.assembler.frames,
            "payload_bytes_received": self.assembler.message_bytes,
            "pings_received": self._pings_received,
            "pongs_received": self._pongs_received,
        }

    # --- the opening, client role -------------------------------------------------------------

    def start(self) -> None:
        """Queue the upgrade request."""
        self.outgoing.raw(self.opening.start())

    @property
    def opening(self) -> ClientOpening:
        """What the client asks for, secrets included; until the connection is open."""
        assert isinstance(self._opening, ClientOpening)
        return self._opening

    @property
    def is_refused(self) -> bool:
        """The head of an answer other than 101 is in; its body may still come."""
        return isinstance(self._opening, ClientOpening) and self._opening.is_refused

    def stop_waiting_for_body(self) -> None:
        """`HandshakeFailed` follows, with what came of a refusal's body so far."""
        self.opening.stop_waiting_for_body()

    # --- the opening, server role -------------------------------------------------------------

    def accept(self, now: float, subprotocol: str | None = None, headers: Fields = ()) -> None:
        """Answer `RequestReceived` with 101: the connection is open."""
        assert isinstance(self._opening, ServerOpening)
        self.outgoing.raw(self._opening.accept(subprotocol, headers))
        self._open(now)

    def reject(self, status: int, text: str = "", headers: Fields = (), reason: str = "") -> None:
        """Answer `RequestReceived` with another status; `HandshakeFailed` follows."""
        assert isinstance(self._opening, ServerOpening)
        self.outgoing.raw(self._opening.reject(status, text, headers, reason))
        self.state = TRANSITIONS[self.state, ENDED]
        self.events += (HandshakeFailed(HandshakeError(f"rejected with status {status}")),)

    def _next_of_opening(self, now: float) -> Event | None:
        assert self._opening is not None
        event = self._opening.next_event()
        if isinstance(event, Opened):
            self._open(now)
        elif isinstance(event, HandshakeFailed):
            if isinstance(self._opening, ServerOpening) and self._opening.refusal:
                self.outgoing.raw(self._opening.refusal)
            self.state = TRANSITIONS[self.state, ENDED]
        return event

    def _open(self, now: float) -> None:
        assert self._opening is not None
        early, agreement = self._opening.trailing_data, self._opening.agreement
        self._opening = None
        if agreement is not None and (compression := self._settings.compression) is not None:
            from tieline.protocol.contexts import enable  # where it was agreed on

            enable(self, not self.assembler.expect_masked, compression, agreement)
        self.state = TRANSITIONS[self.state, UPGRADED]
        self.outgoing.is_open = True
        self.keepalive.begin(now)
        self.assembler.feed(early, len(early))

    # --- received frames ----------------------------------------------------------------------

    def skip_frame(self) -> None:
        """Treat the frame of the last `FrameReceived` as handled: it is not processed."""
        assert isinstance(self.assembler, FrameInspector)
        self.assembler.skip()

    def stream_messages(self) -> None:
        """From now on messages that do not come whole are told of as `MessageChunk`s."""
        self.assembler.stream()

    def _on_control(self, frame: Frame, now: float) -> None:
        data = frame.payload
        if frame.opcode is PING:
            self._pings_received += 1
            self.outgoing.answer_ping(data)
            ping = PingReceived(data)
            self.events += (ping,)
        elif frame.opcode is PONG:
            self._pongs_received += 1
            self.keepalive.look_for_life()
            pong = PongReceived(data, self.outgoing.pong_received(data, now))
            self.events += (pong,)
        else:
            self._on_close(decode_close(data), now)

    def _on_close(self, received: Close, now: float) -> None:
        close = answer_to(received) if self.state is OPEN else self._closing().sent
        told = closing_in_order(close, received)
        self._closing_started(CLOSE_RECEIVED, told, now)
        if self.assembler.expect_masked:
            # 7.1.1: the server closes TCP first.
            self._end(None)

    def _closing(self) -> Closing:
        """What was said about the end: while it is open, a connection has none."""
        fresh = self._made_closing or Closing(self._settings.close_timeout)
        self._made_closing = self._made_closing or fresh  # a signal handler may have been first
        return self._made_closing

    def _closing_started(self, trigger: Trigger, told: ClosingStarted, now: float) -> None:
        # A signal is handled where a call begins or ends. So this, and `_end`, first do what may be
        # done again, and then all the rest without a call: Ctrl-C never leaves half of it.
        closing, state = self._closing(), TRANSITIONS[self.state, trigger]
        if self.state is OPEN:
            closing.begin("remote" if trigger is CLOSE_RECEIVED else "local", now)
        if trigger is not CLOSE_SENT:
            closing.linger(now)
        if self.state is OPEN:
            assert told.sent is not None
            self.outgoing.close(told.sent)
        closing.sent, closing.received = told.sent, told.received
        closing.error = closing.error or told.error
        self.assembler.is_deaf = self.assembler.is_deaf or trigger is not CLOSE_SENT
        self.state = state
        self.events += (told,)

    def _end(self, error: Exception | None) -> None:
        """The one way into CLOSED for a connection that was, or might have been, open."""
        left = () if self.assembler.is_deaf else messages_left(self.assembler, error)
        closing = self._closing()
        closing.error = closing.error or error
        state, info = TRANSITIONS[self.state, ENDED], closing.info()
        told = (*left, Closed(info))
        self.outgoing.close_info = info
        self.outgoing.is_open = False
        self.assembler.is_deaf = True
        self.state = state
        self.events += told
        self.assembler.release()  # clients live on with their last connection
        self.outgoing.deflater = None
