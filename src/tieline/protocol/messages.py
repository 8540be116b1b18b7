# cython: language_level=3, annotation_typing=False, boundscheck=False, wraparound=False
# cython: freethreading_compatible=True
"""Frames → messages: joins fragments, inflates, and holds the limits."""

from __future__ import annotations

from typing import Any

from tieline.errors import MessageTooBig, ProtocolError
from tieline.protocol.compressed import STEP, WholeMessages
from tieline.protocol.content import MessageContent, bad_text
from tieline.protocol.events import Frame, FrameReceived, MessageChunk
from tieline.protocol.inflater import Inflater
from tieline.protocol.plain import limit_of
from tieline.protocol.wire import CLOSE, MAX_PAYLOAD_LENGTH, PING, PONG, Opcode

#: A run ends when its messages have become this many bytes: the bytes that hold compressed ones may
#: be a thousand times fewer.
_LONGEST_RUN = 1024 * 1024

#: Those that the decoder lets pass, from 8 on: to look one up by its number takes an enum long.
_CONTROL_OPCODES = (CLOSE, PING, PONG)

#: A run of messages; a chunk of one; a control frame; or, from an inspector, any frame.
Item = list[str | bytes] | MessageChunk | Frame | FrameReceived


class MessageAssembler(WholeMessages):
    """A `FrameDecoder` that turns what it is fed into whole messages, many per call.

    `next_batch` is called until it returns None, which means that the bytes are used up. A broken
    rule raises only after everything before it was returned, and again at each later call.

    Owned by one thread at a time.
    """

    def __init__(
        self,
        expect_masked: bool,
        max_message_size: int | None,
        max_fragments: int | None,
        decode_text: bool = True,
    ) -> None:
        self.prepare_whole(expect_masked, max_message_size, decode_text)
        self.max_fragments = limit_of(max_fragments)
        # Messages that do not come whole are handed out in chunks.
        self.streaming = False
        # The message in work: its opcode (0: none), and all else that is known of it (from the
        # first one on that does not come whole: most connections never see one).
        self.kind = 0
        self.content: Any = None
        # Is some of it not yet inflated? Was the frame in work read to its end, to `target`?
        self.is_inflating = False
        self.is_frame_over = False
        #: Where the next bytes are to be read to, then `received_directly` told of them. None: they
        #: are to be fed.
        self.target: memoryview | None = None
        # A chunk, and behind it a control frame, that wait behind the messages before them.
        self.chunk: MessageChunk | None = None
        self.control_payload = b""
        self.control: Frame | None = None
        #: What went wrong, behind all that was returned.
        self.failure: Exception | None = None
        # The stream has ended behind what was fed: for the owner, who asks when that is used up.
        self.at_eof = False

    def enable_compression(self, inflater: Inflater) -> None:
        """permessage-deflate was negotiated (RFC 7692)."""
        self.inflater = inflater
        self.allow_rsv1 = True

    def stream(self) -> None:
        """From now on hand out what does not come whole in chunks: what is in work, too."""
        self.streaming = True

    def release(self) -> None:
        """Let go of what is buffered: nothing more will be read. The statistics stay."""
        WholeMessages.release(self)
        self.target = None
        self.is_frame_over = False
        if self.content is not None:
            self.content.release()
        self.control_payload = b""
        self.chunk = None
        self.is_inflating = False
        if self.inflater is not None:
            self.inflater.release()

    def has_more(self) -> bool:
        """Would `next_batch` look further than at the beginning of a frame that has not come?"""
        return (
            self.position != self.end
            or self.control is not None
            or self.chunk is not None
            or self.failure is not None
            or self.is_inflating
            or self.is_frame_over
        )

    def received_directly(self, count: int) -> None:
        """So many bytes were read to `target`; looked at by `next_batch`, when it is let go of."""
        self.target = None
        self.received(count)
        self.content.arrived = count
        self.is_frame_over = not self.in_frame

    def next_batch(self) -> Item | None:
        """The next run of messages, or the chunk or control frame after it, or None."""
        self.target = None
        if self.chunk is None and self.control is None:
            if self.failure is not None:
                raise self.failure
            batch: list[str | bytes] = []
            self.run_size = 0
            try:
                self._collect(batch)
                if self.streaming:
                    self._hand_out()
            except (ProtocolError, MessageTooBig) as error:
                self.failure = error
                if not batch:
                    raise
            if batch:
                return batch
        if self.chunk is not None:
            return self._take_chunk()
        frame: Frame | None = self.control
        self.control = None
        return frame

    def _collect(self, batch: list[str | bytes]) -> None:
        """Add messages to `batch` until it is long enough or something else, or nothing, comes."""
        content = self.content
        if content is not None and content.arrived:
            count = content.arrived
            content.arrived = 0
            content.received(count)
        while True:
            if self.is_frame_over:
                self.is_frame_over = False
            elif not self.is_inflating:
                if not self.in_frame:
                    if not self.kind and self.take_whole(batch, self.view):
                        return
                    if self.position == self.end or not self.read_header():
                        return
                    if self.opcode >= 8:
                        self.control_payload = b""
                    else:
                        content = self._begin(self.opcode, self.remaining, self.rsv1)
                if self.opcode >= 8:
                    self._take_control()
                    return
                arrived = self.available()
                if arrived < self.remaining and self._is_stored():
                    content.store(arrived, self.remaining - arrived)
                piece = self.take_bytes() if content.is_compressed else self.take()
                self._add(piece, self.fin and not self.in_frame)
            if self.is_inflating:
                inflated = self._inflate()
                if self._is_whole(inflated):
                    # Nearly every compressed message: one frame, inflated at once.
                    if self.kind == 2:
                        batch.append(inflated)
                    else:
                        batch.append(self._whole_text(inflated, 0, len(inflated)))
                    self._count()
                    if self.run_size > _LONGEST_RUN:
                        return
                    continue
                content.add(inflated)
                if self.is_inflating:
                    if self.streaming:
                        return
                    continue
            if self.in_frame:
                if self._is_stored():
                    self.target = content.target(self.remaining)
                return
            if self.fin:
                self._finish(batch)
                if self.chunk is not None or self.run_size > _LONGEST_RUN:
                    return

    def _is_stored(self) -> bool:
        """Can the frame in work be gathered where its message will stay?"""
        return not (self.content.is_compressed or self.streaming or self.expect_masked)

    def _whole_text(self, view: bytes | bytearray, start: int, stop: int) -> str | bytes:
        """Decode a text message that lies in one piece."""
        try:
            text = view[start:stop].decode("utf-8")
        except UnicodeDecodeError as error:
            raise bad_text(error, 0) from None
        return text if self.decode_text else bytes(view[start:stop])

    def _begin(self, opcode: int, size: int, rsv1: bool) -> Any:
        """Check a data frame's header against the message in work; nothing is allocated yet.

        Returns the content that it adds to.
        """
        content = self.content
        if opcode:
            if self.kind:
                raise ProtocolError(
                    f"expected a continuation frame of the {Opcode(self.kind).name} message, "
                    f"got a {Opcode(opcode).name} frame (RFC 6455 section 5.4)"
                )
            if content is None:
                content = self.content = MessageContent(self.decode_text)
            self.kind = opcode
            content.size = 0
            content.wire_size = 0
            content.fragments = 1
            content.is_compressed = rsv1
            content.is_text = opcode == 1
        elif self.kind:
            content.fragments += 1
            if content.fragments > self.max_fragments:
                raise self._too_big(
                    f"more than {self.max_fragments} fragments",
                    content.fragments,
                    self.max_fragments,
                    "max_fragments",
                )
        else:
            raise ProtocolError(
                "expected a TEXT or BINARY frame, got a CONTINUATION without a message before it"
            )
        if content.is_compressed:
            # What it inflates to is counted as it comes.
            if size > self._max_wire_size() - content.wire_size:
                raise self._too_many_bytes(content.wire_size, size, "compressed bytes")
            content.wire_size += size
        else:
            if size > self.max_size - content.size:
                raise self._too_many_bytes(content.size, size, "bytes")
            content.size += size
        content.is_direct = False
        return content

    def _max_wire_size(self) -> int:
        """The limit of a compressed message."""
        # Compressed, some data grow: by an eighth at most, in blocks of fixed codes of nine bits
        # (RFC 1951 section 3.2.6). What grows more is not meant to become a message.
        limit, most = self.max_size, MAX_PAYLOAD_LENGTH
        more = limit // 8 + 1024
        return limit + more if limit < most - more else most

    def _too_many_bytes(self, before: int, size: int, unit: str) -> MessageTooBig:
        total = before
        total += size  # as Python's integers, which have no widest one
        return self._too_big(f"at least {total} {unit}", total, self.max_size, "max_message_size")

    def _too_big(self, what: str, size: int, limit: int, option: str) -> MessageTooBig:
        side = "server" if self.expect_masked else "client"
        return MessageTooBig(
            f"message too big: {what}, the {side}'s {option} is {limit}",
            side=side,
            size=size,
            limit=limit,
            option=option,
        )

    def _add(self, piece: Any, is_last: bool) -> None:
        """A piece of the message's payload has come, as bytes if it is compressed.

        `is_last`: it is the end of the message.
        """
        if self.content.is_compressed:
            assert self.inflater is not None
            self.inflater.feed(piece, is_last)
            self.is_inflating = True
        else:
            self.content.add(piece)

    def _inflate(self) -> bytes:
        """Inflate a bounded part of what was added last."""
        inflater, content = self.inflater, self.content
        assert inflater is not None
        room = self.max_size - content.size
        # One more than there is room for shows that it does not fit.
        inflated = inflater.inflate(room + 1 if room < STEP else STEP)
        size = len(inflated)
        if size > room:
            raise self._too_many_bytes(content.size, size, "bytes inflated")
        content.size += size
        self.is_inflating = inflater.is_pending
        return inflated

    def _is_whole(self, inflated: bytes) -> bool:
        """Is this all of the message in work?"""
        content = self.content
        return (
            self.fin
            and content.fragments == 1
            and not self.in_frame
            and not self.is_inflating
            and content.size == len(inflated)
        )

    def _finish(self, batch: list[str | bytes]) -> None:
        """The last fragment is in: be ready for the next message."""
        content = self.content
        rest = content.finish()
        self._count()
        if content.is_streamed:
            content.is_streamed = False
            self.chunk = MessageChunk(rest, True)
        else:
            batch.append(rest)

    def _count(self) -> None:
        self.kind = 0
        self.messages += 1
        self.message_bytes += self.content.size
        self.run_size += self.content.size

    def _hand_out(self) -> None:
        """Make a chunk of what was gathered of the message in work."""
        content = self.content
        if self.kind and self.chunk is None and content.waiting:
            data = content.take()
            if data:  # not only a part of a character
                content.is_streamed = True
                self.chunk = MessageChunk(data, False)

    def _take_chunk(self) -> MessageChunk | None:
        chunk: MessageChunk | None = self.chunk
        self.chunk = None
        return chunk

    def _take_control(self) -> None:
        """Collect a control frame's payload."""
        self.control_payload += self.take_bytes()
        if not self.in_frame:
            opcode = _CONTROL_OPCODES[self.opcode - 8]
            self.control = Frame(opcode, self.control_payload)
            self.control_payload = b""  # an idle connection would keep it until the next one
