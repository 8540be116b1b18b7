"""An option's value → a text that may be read by anybody."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from tieline.compression import Deflate
from tieline.option_checks import shown_callable
from tieline.reconnect import Reconnect
from tieline.redact import MASK, safe_headers, safe_subprotocol, safe_url


def _is_credentials(value: object) -> bool:
    auth = sys.modules.get("tieline.auth")  # whoever has made some has loaded it
    return auth is not None and isinstance(value, auth.Basic | auth.Bearer | auth.Digest)


def shown(name: str, value: object, secret: bool) -> str:
    """The value for a text: no secret, and no repr of a user's own object, which may hold one."""
    if name == "subprotocols" and isinstance(value, tuple):
        return repr(tuple(map(safe_subprotocol, value)))
    if isinstance(value, str) and not secret:
        return repr(safe_url(value))
    if name in ("headers", "proxy_headers") and isinstance(value, tuple):
        return repr(tuple(safe_headers(value)))
    if name == "cookies" and isinstance(value, tuple):
        return repr(tuple((cookie, MASK) for cookie, _ in value))
    if isinstance(value, Deflate | Reconnect) or _is_credentials(value):
        return repr(value)
    if name == "url" and isinstance(value, tuple):
        entries = [shown(name, entry, secret) for entry in value]
        return f"({entries[0]},)" if len(entries) == 1 else f"({', '.join(entries)})"
    if callable(value):
        return shown_callable(value)
    if secret and value is not None:
        return MASK
    if isinstance(value, Mapping):
        return repr({key: dict(entry) for key, entry in value.items()})
    if value is None or isinstance(value, bool | int | float | tuple):
        return repr(value)
    return f"<{type(value).__name__}>"
