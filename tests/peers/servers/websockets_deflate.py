"""The contract's paths → the extensions of a connection of `websockets`, and what came of them."""

from __future__ import annotations

from typing import Any

from websockets.extensions.permessage_deflate import (
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from websockets.server import ServerProtocol

from tests.peers.servers.contract import deflate_parameters, is_plain, report


def choose_extensions(protocol: ServerProtocol, target: str) -> None:
    """Before the request is answered."""
    parameters: Any = deflate_parameters(target)
    if parameters is not None:
        protocol.available_extensions = [ServerPerMessageDeflateFactory(**parameters)]
    elif is_plain(target):
        protocol.available_extensions = []


def report_extensions(protocol: ServerProtocol, target: str) -> None:
    """After that."""
    if deflate_parameters(target) is None and not is_plain(target):
        return
    agreed = None
    for extension in protocol.extensions:
        assert isinstance(extension, PerMessageDeflate)
        agreed = {
            "server_no_context_takeover": extension.local_no_context_takeover,
            "client_no_context_takeover": extension.remote_no_context_takeover,
            "server_max_window_bits": extension.local_max_window_bits,
            "client_max_window_bits": extension.remote_max_window_bits,
        }
    report("agreed", target, deflate=agreed)
