"""The options of the table → values of tieline's option `compression`."""

from __future__ import annotations

import tieline

#: In the table's words, which are Python's.
CHOICES: dict[str, tieline.Deflate | None] = {
    "None": None,
    '"deflate"': tieline.Deflate(),
    "Deflate(client_context_takeover=False)": tieline.Deflate(client_context_takeover=False),
    "Deflate(server_context_takeover=False)": tieline.Deflate(server_context_takeover=False),
    "Deflate(client_context_takeover=False, server_context_takeover=False)": tieline.Deflate(
        client_context_takeover=False, server_context_takeover=False
    ),
    "Deflate(server_max_window_bits=10)": tieline.Deflate(server_max_window_bits=10),
    "Deflate(client_max_window_bits=9, mem_level=1)": tieline.Deflate(
        client_max_window_bits=9, mem_level=1
    ),
    "Deflate(client_max_window_bits=9, mem_level=1, server_max_window_bits=9)": tieline.Deflate(
        client_max_window_bits=9, mem_level=1, server_max_window_bits=9
    ),
    "Deflate(client_max_window_bits=15, mem_level=8)": tieline.Deflate(
        client_max_window_bits=15, mem_level=8
    ),
    "Deflate(level=6, client_max_window_bits=15, mem_level=8)": tieline.Deflate(
        level=6, client_max_window_bits=15, mem_level=8
    ),
}
