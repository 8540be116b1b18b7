"""Payload and key → payload XOR key (RFC 6455 section 5.3).

The compiled `_masking` replaces both functions when it is there. The Python way turns the payload
into one big integer, which is as fast as the interpreter can XOR.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

#: Big integers are XORed piece by piece: the cost per byte grows with their length.
_PIECE = 1 << 16


def _apply_mask(data: bytes | bytearray | memoryview, key: bytes, offset: int = 0) -> bytes:
    """Mask or unmask `data`, which starts `offset` bytes into its frame's payload."""
    if len(key) != 4:
        raise ValueError("a masking key has 4 bytes")
    size = len(data)
    shift = offset % 4
    pattern = key[shift:] + key[:shift]
    if size <= _PIECE:
        mask = (pattern * (size // 4 + 1))[:size]
        masked = int.from_bytes(data, sys.byteorder) ^ int.from_bytes(mask, sys.byteorder)
        return masked.to_bytes(size, sys.byteorder)
    view = memoryview(data)
    # _PIECE is a multiple of 4, so every piece starts at the same place in the pattern.
    return b"".join(
        _apply_mask(view[start : start + _PIECE], pattern) for start in range(0, size, _PIECE)
    )


def _mask_into(
    frame: bytearray,
    start: int,
    payload: bytes | bytearray | memoryview,
    key: bytes,
    offset: int = 0,
) -> None:
    """Write `payload`, masked with `key`, into `frame` from `start` to its end.

    `offset`: where `payload` starts within its frame's payload.
    """
    if start < 0 or len(frame) - start != len(payload):
        raise ValueError(
            f"expected room for {len(payload)} bytes at {start}, frame has {len(frame)}"
        )
    frame[start:] = _apply_mask(payload, key, offset)


if TYPE_CHECKING:
    apply_mask = _apply_mask
    mask_into = _mask_into
else:
    try:
        from tieline.protocol._masking import apply_mask, mask_into
    except ImportError:
        apply_mask = _apply_mask
        mask_into = _mask_into
