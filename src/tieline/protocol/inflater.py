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

    `_zlib` has one that asks zlib for `whole` messages without a detour.
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
        #: Of a message that is no `whole` one: what was inflated when that was found out.
        self.begun: bytes | None = None
        #: The size of the last whole one, in bytes.
        self.produced = 0

    def feed(self, data: bytes, is_last: bool) -> None:
        """Hand over the next piece of a message's compressed payload; `is_last`: its end."""
        if self.begun is not None:
            return  # this one was looked at by `whole`
        self.rest = data + TAIL if is_last else data
        self.is_last = is_last
        self.is_pending = True

    def inflate(self, limit: int) -> bytes:
        """The next `limit` bytes at most, while `is_pending`. Raises ProtocolError."""
        if self.begun is not None:
            begun, self.begun = self.begun, None
            return begun
        context = self.context
        if context is None:
            self.context = context = self.new_context(-self.window_bits)
        try:
            inflated: bytes = context.decompress(self.rest, limit)
        except self.error as error:
            raise broken(str(error)) from None
        if context.eof:
            self.stream_ended(context.unused_data)
        elif len(inflated) >= limit:
            # There may be more inside even when all input is used up.
            self.rest = context.unconsumed_tail
        else:
            self.is_pending = False
            self.rest = b""
            if context.unconsumed_tail:
                raise broken("got a stream that stops advancing")
        if self.is_last and not self.is_pending and not self.context_takeover:
            self.context = None
        return inflated

    def whole(
        self, view: bytes | bytearray, start: int, stop: int, limit: int, as_text: bool
    ) -> str | bytes | None:
        """All of the message whose payload is ``view[start:stop]``; `as_text`: as UTF-8.

        None: it is no smaller than `limit`. It is then to be fed, and the first call of `inflate`
        asks for as much. Raises ProtocolError, UnicodeDecodeError.
        """
        self.feed(bytes(view[start:stop]), True)
        inflated = self.inflate(limit)
        if self.is_pending or len(inflated) >= limit:
            self.begun = inflated
            return None
        self.produced = len(inflated)
        return inflated.decode() if as_text else inflated

    def run_ended(self) -> None:
        """No `whole` message follows at once."""

    def stream_ended(self, unused: bytes) -> None:
        """A block said that it is the last one; the sender begins anew with its next message."""
        self.rest = b""
        self.is_pending = False
        if self.is_last:
            self.context = None
            if unused != _AFTER_END:
                raise broken("got a stream that ends before its message does")
        elif not _AFTER_END.startswith(unused):
            # What is fed to an ended context is only added to its unused data.
            raise broken("got a stream that ends before its message does")

    def release(self) -> None:
        """Let go of the context: nothing more will come."""
        self.context = None
        self.rest = b""
        self.begun = None
        self.is_pending = False


def new_inflater(backend: Backend, window_bits: int, context_takeover: bool) -> Inflater:
    """Of the kind that this backend's module has, or that does for any."""
    kind: type[Inflater] = getattr(backend.module, "inflater_class", Inflater)
    return kind(backend, window_bits, context_takeover)


def broken(what: str) -> ProtocolError:
    return ProtocolError(f"expected compressed data (RFC 7692): {what}", 1007)
