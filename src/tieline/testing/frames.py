"""The parts of a frame → its bytes, right or wrong (RFC 6455 section 5.2)."""

from __future__ import annotations

from tieline.protocol.masking import apply_mask


def frame_bytes(
    opcode: int,
    payload: bytes | str = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask_key: bytes | None = None,
    length: int | None = None,
    length_bytes: int | None = None,
) -> bytes:
    """One frame, checked for nothing, so that it can break any rule.

    `rsv` holds the three reserved bits as a number (4 is RSV1). With a `mask_key` of 4 bytes the
    payload is masked, which only clients may do. `length` announces another length than the
    payload's; `length_bytes` (0, 2 or 8) takes another form of it than the shortest.
    """
    data = payload.encode() if isinstance(payload, str) else bytes(payload)
    announced = len(data) if length is None else length
    if length_bytes is None:
        length_bytes = 0 if announced < 126 else 2 if announced < 0x10000 else 8
    head = bytearray([fin << 7 | rsv << 4 | opcode])
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
