"""What both sides agreed on → this side's two contexts of permessage-deflate (RFC 7692)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tieline.compression import Deflate
from tieline.protocol.deflate import Agreement
from tieline.protocol.deflate_backend import inflate_backend
from tieline.protocol.deflater import Deflater
from tieline.protocol.inflater import Inflater, new_inflater

if TYPE_CHECKING:
    from tieline.protocol.connection import Connection


def enable(connection: Connection, is_client: bool, deflate: Deflate, agreement: Agreement) -> None:
    """From now on messages of this connection are compressed, as it was agreed on."""
    inflater, deflater = contexts(is_client, deflate, agreement)
    connection.assembler.enable_compression(inflater)
    connection.outgoing.deflater = deflater


def contexts(is_client: bool, deflate: Deflate, agreement: Agreement) -> tuple[Inflater, Deflater]:
    """For what is received, and for what is sent; this side may do with less than was agreed."""
    from_client = agreement.client_max_window_bits, agreement.client_context_takeover
    from_server = agreement.server_max_window_bits, agreement.server_context_takeover
    if is_client:
        received, (bits, takeover) = from_server, from_client
        own_bits, own_takeover = deflate.client_max_window_bits, deflate.client_context_takeover
    else:
        received, (bits, takeover) = from_client, from_server
        own_bits, own_takeover = deflate.server_max_window_bits, deflate.server_context_takeover
    return (
        new_inflater(inflate_backend(), *received),
        Deflater(deflate, min(bits, own_bits), takeover and own_takeover),
    )
