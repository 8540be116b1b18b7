"""Payloads of one side's messages → compressed payloads (RFC 7692 section 7.2.1)."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from tieline.compression import Deflate
from tieline.protocol.deflate_backend import deflate_backend

Data = bytes | bytearray | memoryview

#: Ends each flush to a byte boundary: an empty block that the receiver adds again by itself.
TAIL = b"\x00\x00\xff\xff"


class Deflater:
    """Compresses one frame's payload per call. Owned by one thread at a time.

    The context, which is most of what compression costs in memory, is made with the first message;
    without takeover it is released with each.
    """

    def __init__(self, deflate: Deflate, window_bits: int, context_takeover: bool) -> None:
        #: Messages smaller than this are not worth it, in bytes.
        self.threshold = deflate.threshold
        self._level = deflate.level
        self._mem_level = deflate.mem_level
        self._window_bits = window_bits
        self._context_takeover = context_takeover
        # Compresses up to a byte boundary, in the context that it holds.
        self._flushed: Callable[[Data], bytes] | None = None

    def compress(self, payload: Data, *, last: bool = True) -> bytes:
        """The payload of one frame, up to a byte boundary; `last`: of the message's last one."""
        flushed = self._flushed
        if flushed is None:
            self._flushed = flushed = _flushing(self._new_context())
        compressed = flushed(payload)
        if not last:
            return compressed
        if not self._context_takeover:
            self._flushed = None
        return compressed[: -len(TAIL)]

    def reset(self) -> None:
        """Forget what was compressed so far, for when the peer may not get to see it.

        The peer needs no sign: what is compressed from now on refers to nothing before.
        """
        self._flushed = None

    def _new_context(self) -> Any:
        backend = deflate_backend(self._level)
        if self._window_bits == 8:
            # None of them has so small a window. Runs of one byte refer back by one.
            return zlib.compressobj(self._level, zlib.DEFLATED, -9, self._mem_level, zlib.Z_RLE)
        return backend.module.compressobj(
            self._level, zlib.DEFLATED, -self._window_bits, self._mem_level
        )


def _flushing(context: Any) -> Callable[[Data], bytes]:
    if hasattr(context, "flushed"):
        at_once: Callable[[Data], bytes] = context.flushed
        return at_once

    def flushed(payload: Data) -> bytes:
        compressed: bytes = context.compress(payload)
        compressed += context.flush(zlib.Z_SYNC_FLUSH)
        return compressed

    return flushed
