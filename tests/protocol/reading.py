"""Pieces of a byte stream → everything that decoder and assembler make of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from tests.protocol.implementations import INSTALLED, Implementation
from tieline.errors import MessageTooBig, ProtocolError
from tieline.protocol.deflate_backend import Backend
from tieline.protocol.events import FrameReceived, MessageChunk


@dataclass(frozen=True)
class Outcome:
    """Messages and control frames in their order, the error at their end, and the statistics."""

    items: list[Any]
    error: tuple[type[Exception], str, int] | None
    frames: int
    messages: int
    message_bytes: int

    def without_which_error(self) -> Outcome:
        """What the cuts do not change where compressed data are bad.

        A part of them may inflate to text that is bad, or to too much, before the fault comes.
        """
        error = None if self.error is None else (Exception, "", 0)
        return replace(self, error=error)

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
    deflated: Backend | None = None,
    takeover: bool = True,
    streaming: bool = False,
    implementation: Implementation = INSTALLED,
) -> Outcome:
    """Feed the pieces one after the other. Any exception but the two documented ones gets out.

    `deflated`: permessage-deflate was negotiated, and this is who inflates, with `takeover` of the
    context. `streaming`: messages are handed out in chunks, which are joined again.
    """
    kind = implementation.messages.MessageAssembler
    if frame_by_frame:
        kind = implementation.inspection.FrameInspector
    assembler = kind(masked, max_message_size, max_fragments, decode_text)
    if deflated is not None:
        assembler.enable_compression(implementation.new_inflater(deflated, 15, takeover))
    if streaming:
        assembler.stream()
    items: list[Any] = []
    error = None
    try:
        for piece in pieces:
            # A buffer that is used again as soon as it is consumed, as a reactor's is.
            piece = _read_directly(assembler, piece, items)
            buffer = bytearray(piece + b"\xaa\xaa")
            assembler.feed(buffer, len(piece))
            _pull(assembler, items)
            buffer[:] = b"\x55" * len(buffer)
    except (ProtocolError, MessageTooBig) as raised:
        text = str(raised)
        if isinstance(raised, MessageTooBig):
            # Whose limit it is depends on the role, which most tests compare.
            text = text.replace(f"the {raised.side}'s", "the SIDE's")
        error = (type(raised), text, raised.close_code)
    if streaming:
        items = _joined(items)
    return Outcome(items, error, assembler.frames, assembler.messages, assembler.message_bytes)


def _read_directly(assembler: Any, piece: bytes, items: list[Any]) -> bytes:
    """Read to where a big message will stay as much as is asked for; the rest of `piece`."""
    while piece and assembler.target is not None:
        target = assembler.target
        count = min(len(piece), len(target))
        assert 0 < count <= 4 * 1024 * 1024
        target[:count] = piece[:count]
        assembler.received_directly(count)
        del target  # a driver still has it when it tells
        assert assembler.target is None, "it is asked for anew before each read"
        piece = piece[count:]
        _pull(assembler, items)
    return piece


def _pull(assembler: Any, items: list[Any]) -> None:
    while (item := assembler.next_batch()) is not None:
        if isinstance(item, list):
            assert item, "an empty batch says nothing"
            items += item
        elif not isinstance(item, FrameReceived):
            items.append(item)


def _joined(items: list[Any]) -> list[Any]:
    """Each message where its last chunk is; one that has no end is left out."""
    joined: list[Any] = []
    parts: list[Any] = []
    for item in items:
        if not isinstance(item, MessageChunk):
            joined.append(item)
            continue
        assert item.data or item.is_last, "an empty chunk says nothing before the end"
        parts.append(item.data)
        if item.is_last:
            joined.append(type(item.data)().join(parts))
            parts = []
    return joined
