"""Header fields and URLs → the same with every secret replaced by ``***``.

For log lines, reprs and error texts. Masking too much costs a reader a glance; masking too
little costs an account. So names are matched generously, and nothing here ever raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

MASK = "***"

SECRET_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "cookie",
        "cookie2",
        "set-cookie",
        "set-cookie2",
        "x-api-key",
        "x-auth",
    }
)

#: Parts that make any name a secret's name, wherever they stand in it ("X-Amz-Security-Token").
_SECRET_ANYWHERE = (
    "token",
    "secret",
    "passw",
    "passphrase",
    "passcode",
    "apikey",
    "accesskey",
    "credential",
    "signature",
    "authorization",
    "jwt",
)
#: Endings that do so ("listenKey", "sessionid").
_SECRET_ENDING = ("key", "auth", "session", "sessionid", "pwd", "bearer")
#: Too short to be looked for inside other words ("design" is no signature): whole last word only.
_SECRET_LAST_WORD = frozenset({"code", "sig", "sign", "sid", "pass", "otp", "ticket"})

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PARAMETER = re.compile(r"[?&;#]([^?&;#=]*)=")
_NESTED_USERINFO = re.compile(r"(://[^/?#&@:]*:)[^@&]*@")


@lru_cache(maxsize=256)
def is_secret_header(name: str) -> bool:
    """True if the value of this header field must not be shown."""
    # Remembered, because the same dozen names are asked for with every connection.
    lower = name.lower()
    if lower in SECRET_HEADERS:
        return True
    # RFC 6455's key is a nonce that protects nobody, and is worth seeing in a log.
    return lower != "sec-websocket-key" and _is_secret_name(name)


def safe_headers(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same fields in the same order, with the values of secret ones masked."""
    return [(pair[0], MASK) if is_secret_header(pair[0]) else pair for pair in pairs]


def safe_url(url: object) -> str:
    """The URL without its password and without the values of secret query parameters.

    Any text will do, also one that is no valid URL: what may be a password is masked.
    """
    if not isinstance(url, str):
        return f"<{type(url).__name__}>"
    if "@" not in url and "=" not in url:
        return url  # neither a password nor a parameter
    start, rest = _mask_userinfo(url)
    return start + _mask_parameters(_NESTED_USERINFO.sub(rf"\1{MASK}@", rest))


def _mask_userinfo(url: str) -> tuple[str, str]:
    """Split into the part up to the end of the userinfo, masked, and the rest."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        # "user:password@host", "ws:/user:password@host": where the user's name starts is
        # anyone's guess, so everything after the first colon goes.
        head, colon, tail = url.partition(":")
        at = tail.rfind("@")
        return (f"{head}:{MASK}", tail[at:]) if colon and at >= 0 else ("", url)
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    at = authority.rfind("@")
    if at < 0 and _is_cut_off_userinfo(authority):
        # An unescaped "/", "?" or "#" in a password ends the authority too early.
        at = rest.rfind("@")
    if at < 0:
        return scheme + separator, rest
    user, colon, _ = rest[:at].partition(":")
    return f"{scheme}{separator}{user}{colon}{MASK if colon else ''}", rest[at:]


def _is_cut_off_userinfo(authority: str) -> bool:
    _, colon, port = authority.rpartition(":")
    return bool(colon) and not authority.endswith("]") and not re.fullmatch("[0-9]*", port)


def _mask_parameters(text: str) -> str:
    from urllib.parse import unquote  # for URLs that have parameters

    pieces, position = [], 0
    while match := _PARAMETER.search(text, position):
        pieces.append(text[position : match.end()])
        position = match.end()
        if _is_secret_name(unquote(match[1])):
            # Only "&" ends a secret: a value may hold "?", ";" or a stray "#".
            end = text.find("&", position)
            pieces.append(MASK)
            position = len(text) if end < 0 else end
    pieces.append(text[position:])
    return "".join(pieces)


def _is_secret_name(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    joined = "".join(words)
    singular = joined.removesuffix("s")
    return (
        any(part in joined for part in _SECRET_ANYWHERE)
        or joined.endswith(_SECRET_ENDING)
        or singular.endswith(_SECRET_ENDING)
        or bool(words and words[-1] in _SECRET_LAST_WORD)
    )
