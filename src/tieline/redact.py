"""Header fields and URLs → the same with every secret replaced by ``***``.

For log lines, reprs and error texts. Masking too much costs a reader a glance; masking too
little costs an account. So names are matched generously, and nothing here ever raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from tieline.patterns import pattern

MASK = "***"

SECRET_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        # A server's proof that it knows the password lets whoever reads it try passwords.
        "authentication-info",
        "proxy-authentication-info",
        "cookie",
        "cookie2",
        "set-cookie",
        "set-cookie2",
        "x-api-key",
        "x-auth",
    }
)

#: Their values are URLs, or hold some.
_URL_HEADERS = frozenset({"location", "content-location", "refresh", "referer", "link"})

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
_SECRET_LAST_WORD = frozenset(
    "code cred creds cvv hmac mfa otp pass pin psk pw sid sig sign tan ticket tkn".split()
)

_AUTHORITY_END = pattern("[/?#]")
# The colons of such an authority are none that a password comes after.
_IPV6_HOST = pattern(r"(?:[^:@]*@)?\[[0-9A-Fa-f:.]+(?:%[^]:]*)?\](?::[0-9]*)?")
# A name with a dot, or the one without that has ports of its own: no user is called so.
_HOST_AND_PORT = pattern(r"(?:[\w-]+(?:\.[\w-]+)+|localhost):[0-9]{1,5}")
_WORD = pattern(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PARAMETER = pattern(r"[?&;#]([^?&;#=]*)=")
#: Between the parts of a subprotocol's name, such as "graphql-transport-ws" and "v1.json".
_NAME_PART = pattern("[-._]")
_PASSWORD_END = pattern("[@&]")
_NESTED_USER = pattern(r"://[^/?#:]*:")


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
    """The same fields in the same order, with the values of secret ones masked.

    Of URLs, such as that of a Location, what `safe_url` masks.
    """
    return [_safe_header(pair) for pair in pairs]


def _safe_header(pair: tuple[str, str]) -> tuple[str, str]:
    name, value = pair
    if is_secret_header(name):
        return name, MASK
    if name.lower() in _URL_HEADERS:
        return name, safe_url(value)
    if name.lower() == "sec-websocket-protocol":
        return name, ", ".join(map(safe_subprotocol, value.split(", ")))
    return pair


def safe_subprotocol(name: str) -> str:
    """The subprotocol's name, or a mask: browsers can send a token in no other header."""
    return MASK if is_secret_subprotocol(name) else name


def is_secret_subprotocol(name: str) -> bool:
    """True for a name that looks like a secret, or says that it holds one ("bearer.TOKEN")."""
    joined = "".join(map(str.lower, _WORD.findall(name)))
    if any(part in joined for part in (*_SECRET_ANYWHERE, "bearer")):
        return True
    # More digits than a date has: a UUID, for one.
    return sum(map(str.isdigit, name)) > 8 or any(map(_is_random, _NAME_PART.split(name)))


def _is_random(part: str) -> bool:
    """Long, and made of letters and digits, or longer than any word."""
    return len(part) > 31 or (len(part) > 15 and not (part.isalpha() or part.isdigit()))


def safe_username(name: str, password: str | None) -> str:
    """The user name; or a mask, when none follows and it may be a key that stands for both."""
    return MASK if not password and _is_key(name) else name


def _is_key(name: str) -> bool:
    return len(name) > 15 or any(map(str.isdigit, name))


def safe_url(url: object) -> str:
    """The URL without its password and without the values of secret query parameters.

    A user name without a password is masked, too, if it is longer than 15 characters or has digits.

    Any text will do, also one that is no valid URL: what may be a password is masked.
    """
    if not isinstance(url, str):
        return f"<{type(url).__name__}>"
    spans = secret_spans(url)
    if not spans:
        return url
    pieces, position = [], 0
    for start, end in spans:
        pieces += [url[position:start], MASK]
        position = end
    return "".join([*pieces, url[position:]])


def secret_spans(url: str) -> list[tuple[int, int]]:
    """Where `safe_url` puts a mask: from where to where, in order, not overlapping."""
    if "@" not in url and "=" not in url:
        return []  # neither a password nor a parameter
    if "@" not in url:
        return list(_secret_parameters(url, _begin(url)))
    password, rest = _userinfo(url)
    found = [*password, *_nested_passwords(url, rest), *_secret_parameters(url, rest)]
    spans: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def ends_early(url: str) -> bool:
    """Is there perhaps a password with a "/", "?" or "#" in it, which cuts it off unescaped?"""
    _, authority, rest = _parts(url)
    return _may_be_userinfo(authority) and rest.rfind("@") > len(authority)


def _userinfo(url: str) -> tuple[list[tuple[int, int]], int]:
    """The password's place, if there may be one, and where the rest begins."""
    begin, authority, rest = _parts(url)
    if not begin and ":" in url:
        # "user:password@host", "ws:/user:password@host": where the user's name starts is
        # anyone's guess, so everything after the first colon goes.
        authority = url
    # A "/", "?" or "#" of a password ends the authority too early, and what is before it may look
    # like a port. So an "@" anywhere means a password, though it may just be one of the path; but
    # not behind the likes of "stream.example.com:9443", where feeds have "/ws/name@trade".
    at = (rest if _may_be_userinfo(authority) else authority).rfind("@")
    if at < 0:
        return [], begin
    colon = rest.find(":", 0, at)
    # The user name is a secret, too, where it stands for both.
    name = rest[: at if colon < 0 else colon]
    spans = [] if colon < 0 else [(begin + colon + 1, begin + at)]
    if not rest[len(name) + 1 : at] and _is_lone_key(name):
        spans.insert(0, (begin, begin + len(name)))
    return spans, begin + at


def _is_lone_key(name: str) -> bool:
    return _AUTHORITY_END.search(name) is None and _is_key(_unquote(name))


def _parts(url: str) -> tuple[int, str, str]:
    """Where the authority begins, the authority, and that with all that follows.

    What has no scheme is all rest.
    """
    begin = _begin(url)
    if not begin:
        return 0, "", url
    rest = url[begin:]
    return begin, _AUTHORITY_END.split(rest, maxsplit=1)[0], rest


def _begin(url: str) -> int:
    found = url.find("://")
    return 0 if found < 0 or ":" in url[:found] else found + len("://")


def _may_be_userinfo(authority: str) -> bool:
    is_host = _IPV6_HOST.fullmatch(authority) or _HOST_AND_PORT.fullmatch(authority)
    return ":" in authority and not is_host


def _nested_passwords(url: str, start: int) -> Iterator[tuple[int, int]]:
    """Those of URLs that are parameters: up to the first "@", unless "&" comes before it."""
    for sign in _PASSWORD_END.finditer(url, start):
        end = sign.start()
        if sign[0] == "@" and (user := _NESTED_USER.search(url, start, end)) is not None:
            yield user.end(), end
        start = end + 1


def _secret_parameters(url: str, start: int) -> Iterator[tuple[int, int]]:
    if not any(map(_is_secret_parameter, _PARAMETER.findall(url, start))):
        return
    while match := _PARAMETER.search(url, start):
        start = match.end()
        if _is_secret_parameter(match[1]):
            # Only "&" ends a secret: a value may hold "?", ";" or a stray "#".
            end = url.find("&", start)
            end = len(url) if end < 0 else end
            yield start, end
            start = end


def _is_secret_parameter(name: str) -> bool:
    if "%" in name:
        name = _unquote(name)
    # What is no plain word may itself be a secret, and is not remembered.
    return _is_secret_word(name) if _is_plain_word(name) else _is_secret_name(name)


def _unquote(text: str) -> str:
    from urllib.parse import unquote  # for URLs that need it

    return unquote(text)


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


#: For names that may be remembered: a program's URLs have the same ones again and again.
_is_secret_word = lru_cache(maxsize=64)(_is_secret_name)


def has_no_secret(url: str) -> bool:
    """Does nothing in it look like one, so that it may be kept for as long as the program runs?

    A host, plain words in the path and as names of the query, and words or numbers as its values.
    Services put tokens into both.
    """
    if "://" not in url or "@" in url or "#" in url:
        return False
    place, _, query = url.partition("?")
    path = place.partition("://")[2].partition("/")[2]
    return all([_is_plain_word(part) for part in path.split("/")]) and _is_plain_query(query)


def _is_plain_query(query: str) -> bool:
    for parameter in query.split("&"):
        name, _, value = parameter.partition("=")
        is_plain = _is_plain_word(value) or (
            len(value) <= 9 and value.isascii() and value.isdigit()
        )
        if not is_plain or not _is_plain_word(name) or _is_secret_word(name):
            return False
    return True


def _is_plain_word(part: str) -> bool:
    if len(part) <= 4:  # "", "v1", "ws"
        return True
    return len(part) <= 16 and part.isascii() and part.isalpha() and part.islower()
