"""Pieces of a byte stream → everything that decoder and assembler make of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.protocol.implementations import INSTALLED, Implementation
from tieline.errors import MessageTooBig, ProtocolError


@dataclass(frozen=True)
class Outcome:
    """Messages and control frames in their order, the error at their end, and the statistics."""

    items: list[Any]
    error: tuple[type[Exception], str, int] | None
    frames: int
    messages: int
    message_bytes: int

    @property
    def text(self) -> str:
        """What the error says."""
        assert self.error is not None, f"no error, but {self.items}"
        return self.error[1]

    @property
    def close_code(self) -> int:
        """What the connection would be failed with."""
        assert self.error is not None, f"no error, but {self.items}"
        return self.error[2]


def read(
    pieces: Iterable[bytes],
    *,
    masked: bool = False,
    max_message_size: int | None = None,
    max_fragments: int | None = None,
    decode_text: bool = True,
    frame_by_frame: bool = False,
    implementation: Implementation = INSTALLED,
) -> Outcome:
    """Feed the pieces one after the other. Any exception but the two documented ones gets out."""
    decoder = implementation.decoder.FrameDecoder(masked)
    assembler = implementation.messages.MessageAssembler(
        decoder, max_message_size, max_fragments, decode_text
    )
    items: list[Any] = []
    error = None
    try:
        for piece in pieces:
            # A buffer that is used again as soon as it is consumed, as a reactor's is.
            buffer = bytearray(piece + b"\xaa\xaa")
            decoder.feed(buffer, len(piece))
            if frame_by_frame:
                _pull_frames(assembler, items)
            else:
                _pull_batches(assembler, items)
            buffer[:] = b"\x55" * len(buffer)
    except (ProtocolError, MessageTooBig) as raised:
        error = (type(raised), str(raised), raised.close_code)
    return Outcome(items, error, decoder.frames, assembler.messages, assembler.message_bytes)


def _pull_batches(assembler: Any, items: list[Any]) -> None:
    while (item := assembler.next_batch()) is not None:
        if isinstance(item, list):
            assert item, "an empty batch says nothing"
            items += item
        else:
            items.append(item)


def _pull_frames(assembler: Any, items: list[Any]) -> None:
    while (frame := assembler.next_frame()) is not None:
        item = assembler.accept(frame)
        items += item if isinstance(item, list) else [] if item is None else [item]
