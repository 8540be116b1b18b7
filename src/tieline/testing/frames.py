"""The parts of a frame → its bytes, right or wrong (RFC 6455 section 5.2)."""

from __future__ import annotations

import zlib

from tieline.protocol.masking import apply_mask
from tieline.protocol.wire import RSV1

#: What RFC 7692 section 7.2.1 cuts off a message: an empty block, up to a byte boundary.
_TAIL = b"\x00\x00\xff\xff"


def frame_bytes(
    opcode: int,
    payload: bytes | str = b"",
    *,
    fin: bool = True,
    rsv1: bool = False,
    rsv: int = 0,
    mask_key: bytes | None = None,
    length: int | None = None,
    length_bytes: int | None = None,
) -> bytes:
    """One frame, checked for nothing, so that it can break any rule.

    `rsv1` marks the first frame of a compressed message (see `deflate_payload`); `rsv` holds all
    three reserved bits as a number (4 is RSV1). With a `mask_key` of 4 bytes the payload is masked,
    which only clients may do. `length` announces another length than the payload's; `length_bytes`
    (0, 2 or 8) takes another form of it than the shortest.
    """
    data = payload.encode() if isinstance(payload, str) else bytes(payload)
    announced = len(data) if length is None else length
    if length_bytes is None:
        length_bytes = 0 if announced < 126 else 2 if announced < 0x10000 else 8
    head = bytearray([fin << 7 | (RSV1 if rsv1 else 0) | rsv << 4 | opcode])
    mask_bit = 0x80 if mask_key is not None else 0
    if length_bytes:
        head.append(mask_bit | (126 if length_bytes == 2 else 127))
        head += announced.to_bytes(length_bytes, "big")
    else:
        head.append(mask_bit | announced)
    if mask_key is not None:
        head += mask_key
        data = bytes(apply_mask(data, mask_key, 0))
    return bytes(head) + data


def close_payload(code: int | None, reason: str = "") -> bytes:
    """The payload of a Close frame (5.5.1), also for codes that may not be sent. None: empty."""
    return b"" if code is None else code.to_bytes(2, "big") + reason.encode()


def deflate_payload(payload: bytes | str, *, window_bits: int = 15, level: int = 6) -> bytes:
    """The payload of a compressed message (RFC 7692 section 7.2.1), which refers to none before.

    Cut it anywhere for a message in fragments. `window_bits`, from 9 to 15, must not be more than
    what was agreed on; `level` is zlib's, 0 to 9.
    """
    data = payload.encode() if isinstance(payload, str) else payload
    context = zlib.compressobj(level, zlib.DEFLATED, -window_bits)
    return (context.compress(data) + context.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_TAIL)
