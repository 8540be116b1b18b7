# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""A role in the opening handshake → a `Connection`."""

from __future__ import annotations

import os
from collections.abc import Callable

from tieline.protocol.connection import Connection
from tieline.protocol.handshake import UpgradeRequest
from tieline.protocol.opening import ClientOpening, ServerOpening
from tieline.protocol.settings import Settings


def client_connection(
    request: UpgradeRequest,
    url: str,
    settings: Settings | None = None,
    random_bytes: Callable[[int], bytes] = os.urandom,
) -> Connection:
    """A connection that will ask for `request`. `url` is for error texts and holds no secret."""
    settings = settings or Settings()
    opening = ClientOpening(request, url, random_bytes(16), settings.head_limits)
    return Connection(opening, settings, random_bytes)


def server_connection(
    settings: Settings | None = None, random_bytes: Callable[[int], bytes] = os.urandom
) -> Connection:
    """A connection that waits for an upgrade request."""
    settings = settings or Settings()
    opening = ServerOpening(settings.head_limits, settings.compression)
    return Connection(opening, settings, random_bytes)
