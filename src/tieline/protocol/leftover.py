"""Bytes that were read before the end → the whole messages in them, which it takes from nobody."""

from __future__ import annotations

from tieline.errors import MessageTooBig, ProtocolError
from tieline.protocol.events import Frame
from tieline.protocol.inspection import FrameInspector
from tieline.protocol.messages import MessageAssembler
from tieline.protocol.wire import Opcode

#: Bytes: a little that is compressed may become a lot.
_ENOUGH = 16 * 1024 * 1024


def messages_left(assembler: MessageAssembler, error: Exception | None) -> list[list[str | bytes]]:
    """The runs of whole messages, up to what is no message or Ping, or breaks a rule.

    None where every frame has to be shown first, none behind half of a big message, which somebody
    may be reading to its place, and none when the end's `error` is not the stream's: it may have
    come in the middle of decoding.
    """
    runs: list[list[str | bytes]] = []
    size = 0
    if isinstance(assembler, FrameInspector) or not isinstance(error, OSError | None):
        return runs
    while size < _ENOUGH and assembler.target is None:
        try:
            item = assembler.next_batch()
        except (ProtocolError, MessageTooBig):
            break  # the connection has ended, for another reason
        if isinstance(item, list):
            runs.append(item)
            size += sum(map(len, item))
        elif not isinstance(item, Frame) or item.opcode is Opcode.CLOSE:
            break
    return runs
