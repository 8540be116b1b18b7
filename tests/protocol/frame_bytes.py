"""A frame in hex, as a server would send it → the frame's bytes in the role that sends it.

Written apart from the package, so that both have to be wrong in the same way to agree.
"""

from __future__ import annotations

#: The masking key of the RFC's examples (section 5.7).
KEY = bytes.fromhex("37fa213d")


def xor(payload: bytes, key: bytes = KEY, offset: int = 0) -> bytes:
    """Section 5.3, octet by octet."""
    return bytes(byte ^ key[(place + offset) % 4] for place, byte in enumerate(payload))


def header(first: int, announced: int, *, masked: bool, form: int | None = None) -> bytes:
    """A header. `form`: bytes of the extended length (0, 2 or 8), the shortest unless given."""
    if form is None:
        form = 0 if announced < 126 else 2 if announced < 0x10000 else 8
    short = {0: announced, 2: 126, 8: 127}[form]
    extended = announced.to_bytes(form, "big") if form else b""
    return bytes([first, masked << 7 | short]) + extended + (KEY if masked else b"")


def frame(first: int, payload: bytes = b"", *, masked: bool, form: int | None = None) -> bytes:
    """A whole frame. `first` is the first byte: FIN, RSV bits and opcode."""
    body = xor(payload) if masked else payload
    return header(first, len(payload), masked=masked, form=form) + body


# First bytes, in the words of section 5.2.
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x00, 0x01, 0x02, 0x08, 0x09, 0x0A
FIN = 0x80
