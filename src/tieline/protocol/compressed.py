# cython: language_level=3, annotation_typing=False, boundscheck=False, wraparound=False
# cython: freethreading_compatible=True
"""Compressed frames that are a whole message, as nearly all are → messages (RFC 7692)."""

from __future__ import annotations

from tieline.protocol.content import bad_text
from tieline.protocol.inflater import Inflater
from tieline.protocol.plain import PlainMessages

#: Inflated at once, in bytes; and the most that a chunk of a streamed message holds of it.
STEP = 256 * 1024

#: Compressed bytes. What a longer message costs on its way is little beside inflating it.
_LONGEST = 4096

#: A run ends behind so many messages, or bytes of them: see `plain`.
_CACHED_BYTES = 128 * 1024
_CACHED_MESSAGES = 512


class WholeMessages(PlainMessages):
    """The same part of a `MessageAssembler`, with compressed messages among the others."""

    def prepare_whole(
        self, expect_masked: bool, max_message_size: int | None, decode_text: bool
    ) -> None:
        """`__init__`, see `prepare_decoder`."""
        self.prepare_plain(expect_masked, max_message_size, decode_text)
        #: None until permessage-deflate was negotiated.
        self.inflater: Inflater | None = None
        # Bytes of the run's messages that were joined or inflated.
        self.run_size = 0

    def take_whole(self, batch: list[str | bytes], view: bytes | bytearray) -> bool:
        """Add messages that are one frame, all of it here. True: the run is long enough.

        What is anything else stays where it is. Raises ProtocolError for bad compressed data, and
        bad text in them.
        """
        inflater = self.inflater
        if inflater is None:
            return self.take_plain(batch, view)
        while True:
            if self.take_plain(batch, view):
                return True
            position = self.position
            if self.expect_masked or self.kept or position == self.end:
                return False
            if self._take_compressed(batch, view):
                return True
            if self.position == position or inflater.begun is not None:
                return False

    def _take_compressed(self, batch: list[str | bytes], view: bytes | bytearray) -> bool:
        """The same for compressed ones, up to the next that is not."""
        inflater = self.inflater
        assert inflater is not None
        position = self.position
        end = self.end
        # One more than there is room for shows that it does not fit.
        limit = STEP if self.max_size >= STEP else self.max_size + 1
        longest = _LONGEST if self.max_size >= _LONGEST else self.max_size
        room = _CACHED_MESSAGES - len(batch)
        decode_text = self.decode_text
        try:
            while end - position >= 2 and room > 0 and self.run_size <= _CACHED_BYTES:
                # FIN, RSV1 and a data opcode; and, below, no mask.
                is_text = view[position] == 0xC1
                if not is_text and view[position] != 0xC2:
                    break
                size = view[position + 1]
                start = position + 2
                if size == 126:
                    start = position + 4
                    if start > end:
                        break
                    size = view[position + 2] << 8 | view[position + 3]
                    if size < 126:
                        break
                elif size > 126:
                    break
                if size > longest or size > end - start:
                    break
                before = position
                position = start + size
                self.frames += 1
                message = inflater.whole(view, start, position, limit, is_text and decode_text)
                if message is None:
                    # It is big, or too big: for others, as if nobody had looked.
                    position = before
                    self.frames -= 1
                    break
                if is_text and isinstance(message, bytes):
                    message.decode()  # only to see whether it is text
                batch.append(message)
                room -= 1
                self.messages += 1
                self.message_bytes += inflater.produced
                self.run_size += inflater.produced
        except UnicodeDecodeError as error:
            raise bad_text(error, 0) from None
        finally:
            self.position = position
            inflater.run_ended()
        return room <= 0 or self.run_size > _CACHED_BYTES
