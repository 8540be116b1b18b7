"""A client's offer of permessage-deflate → what is agreed on, and the two streams (RFC 7692).

Not tieline's own negotiation: a client is not measured against itself.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

#: What a flush to a byte boundary ends with, and a message leaves out (7.2.1).
TAIL = b"\x00\x00\xff\xff"
#: As most servers have it.
_SERVER_LEVEL = 6


@dataclass(frozen=True)
class Agreement:
    """The parameters of one connection; the client got whatever it asked for."""

    server_window_bits: int = 15
    client_window_bits: int = 15
    server_takeover: bool = True
    client_takeover: bool = True

    @property
    def answer(self) -> str:
        """The value of the server's ``Sec-WebSocket-Extensions``."""
        parts = ["permessage-deflate"]
        if not self.server_takeover:
            parts.append("server_no_context_takeover")
        if not self.client_takeover:
            parts.append("client_no_context_takeover")
        if self.server_window_bits < 15:
            parts.append(f"server_max_window_bits={self.server_window_bits}")
        if self.client_window_bits < 15:
            parts.append(f"client_max_window_bits={self.client_window_bits}")
        return "; ".join(parts)

    def compressor(self) -> Any:
        """Of what the server sends."""
        return zlib.compressobj(_SERVER_LEVEL, zlib.DEFLATED, -self.server_window_bits)

    def decompressor(self) -> Any:
        """Of what the client sends. A window that is larger than agreed on would not notice."""
        return zlib.decompressobj(-self.client_window_bits)


def agree(offers: str | None) -> Agreement | None:
    """What the server accepts of a header's value: its first offer, as it is."""
    if not offers:
        return None
    name, *words = (word.strip() for word in offers.split(",")[0].split(";"))
    if name != "permessage-deflate":
        return None
    asked = {key.strip(): value.strip() for key, _, value in (w.partition("=") for w in words)}
    return Agreement(
        server_window_bits=int(asked.get("server_max_window_bits", 15)),
        # Without a value: the client could use less than 15, and the server asks for nothing.
        client_window_bits=int(asked.get("client_max_window_bits") or 15),
        server_takeover="server_no_context_takeover" not in asked,
        client_takeover="client_no_context_takeover" not in asked,
    )
