# cython: language_level=3, annotation_typing=False, boundscheck=False, wraparound=False
# cython: freethreading_compatible=True
"""Compressed payloads of one peer's messages → payloads, never more than was asked for.

RFC 7692 section 7.2.2.
"""

from __future__ import annotations

from typing import Any

from tieline.errors import ProtocolError
from tieline.protocol.deflate_backend import Backend
from tieline.protocol.deflater import TAIL

#: 7.2.3.4: a sender may end its stream with a message. One octet then follows, which the tail makes
#: an empty block.
_AFTER_END = b"\x00" + TAIL


class Inflater:
    """Decompresses message after message. Owned by one thread at a time.

    The context, which is most of what decompression costs in memory, is made with the first
    message; without takeover it is released with each. A `ProtocolError` is the end.
    """

    def __init__(self, backend: Backend, window_bits: int, context_takeover: bool) -> None:
        self.new_context = backend.module.decompressobj
        self.error = backend.module.error
        # zlib's own deflate makes 9 of 8, and a greater window understands all of a smaller one.
        self.window_bits = max(window_bits, 9)
        self.context_takeover = context_takeover
        self.context: Any = None
        # Compressed bytes that are not used up, and whether they are the message's last ones.
        self.rest = b""
        self.is_last = False
        #: There may be more to come from what was fed.
        self.is_pending = False

    def feed(self, data: bytes, is_last: bool) -> None:
        """Hand over the next piece of a message's compressed payload; `is_last`: its end."""
        self.rest = data + TAIL if is_last else data
        self.is_last = is_last
        self.is_pending = True

    def inflate(self, limit: int) -> bytes:
        """The next `limit` bytes at most, while `is_pending`. Raises ProtocolError."""
        context = self.context
        if context is None:
            self.context = context = self.new_context(-self.window_bits)
        try:
            inflated: bytes = context.decompress(self.rest, limit)
        except self.error as error:
            raise _broken(str(error)) from None
        if context.eof:
            self._stream_ended(context.unused_data)
        elif len(inflated) >= limit:
            # There may be more inside even when all input is used up.
            self.rest = context.unconsumed_tail
        else:
            self.is_pending = False
            self.rest = b""
            if context.unconsumed_tail:
                raise _broken("got a stream that stops advancing")
        if self.is_last and not self.is_pending and not self.context_takeover:
            self.context = None
        return inflated

    def _stream_ended(self, unused: bytes) -> None:
        """A block said that it is the last one; the sender begins anew with its next message."""
        self.rest = b""
        self.is_pending = False
        if self.is_last:
            self.context = None
            if unused != _AFTER_END:
                raise _broken("got a stream that ends before its message does")
        elif not _AFTER_END.startswith(unused):
            # What is fed to an ended context is only added to its unused data.
            raise _broken("got a stream that ends before its message does")

    def release(self) -> None:
        """Let go of the context: nothing more will come."""
        self.context = None
        self.rest = b""
        self.is_pending = False


def _broken(what: str) -> ProtocolError:
    return ProtocolError(f"expected compressed data (RFC 7692): {what}", 1007)
