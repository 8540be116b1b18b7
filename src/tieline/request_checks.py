"""What goes into the handshake request: the forms a user may give → the stored form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from tieline.errors import OptionError
from tieline.headers import check_header, is_token
from tieline.option_checks import Check, Refused, file_path, items, plain_text
from tieline.patterns import pattern

if TYPE_CHECKING:
    from tieline.auth import Basic, Bearer, Digest

HeaderPairs = tuple[tuple[str, str], ...]
#: A URL, or what gives one for each attempt.
URLSource = str | Callable[[], str]

_HEADER_FORMS = "a mapping of str to str or list of str, or (name, value) pairs"
_WRITTEN_SO = "Write {'Name': 'value'} or [('Name', 'value')]."
_NO_BODY = "the opening handshake has no body"
_BY_HANDSHAKE = "the opening handshake sets it itself (RFC 6455 section 4.1)"

_WORD_END = pattern(r"[^\w-]")
_NOT_IN_A_COOKIE = pattern(r"[\x00-\x1f\x7f;]|\A | \Z")

#: Header (lower case) -> why a user may not set it in the opening handshake.
HANDSHAKE_OWNS = {
    "sec-websocket-key": _BY_HANDSHAKE,
    "sec-websocket-version": _BY_HANDSHAKE,
    "sec-websocket-accept": "only a server sends it",
    "sec-websocket-extensions": "what is offered here must also be spoken; use `compression`",
    "sec-websocket-protocol": "the answer is checked against the offer; use `subprotocols`",
    "upgrade": _BY_HANDSHAKE,
    "connection": _BY_HANDSHAKE,
    "content-length": _NO_BODY,
    "transfer-encoding": _NO_BODY,
    "proxy-authorization": "the server would get it; use `proxy_auth`, or `proxy_headers`",
}
#: The same for the CONNECT request to a proxy (RFC 9110 9.3.6: no content).
CONNECT_OWNS = {
    "host": "it names the tunnel's far end (RFC 9112 section 3.2.3)",
    "connection": "the tunnel needs the connection kept",
    "upgrade": "the upgrade is asked of the server, not of the proxy",
    "authorization": "the proxy would get it; use `auth`, or `headers`",
    "content-length": "a CONNECT request has no body",
    "transfer-encoding": "a CONNECT request has no body",
}


def normalise_headers(
    value: object, *, option: str = "headers", owned: Mapping[str, str] = HANDSHAKE_OWNS
) -> HeaderPairs:
    """Request headers in any accepted form as a tuple of (name, value) pairs, order kept.

    Accepted: None, a mapping of str to str or to a list of str, or an iterable of (str, str)
    pairs. Raises `OptionError` for anything else, for a name or value that HTTP forbids (CR, LF
    and NUL first of all) and for a header in ``owned``. The error names the header and shows no
    secret one's value. Any thread may call this.
    """
    check = Check(_HEADER_FORMS, lambda given: _checked(given, owned), secret=True)
    return cast(HeaderPairs, check.apply(option, value))


def _checked(value: Any, owned: Mapping[str, str]) -> HeaderPairs:
    pairs = _pairs(value)
    for name, content in pairs:
        check_header(name, content)
        if name.lower() in owned:
            raise OptionError(f"header {name!r} cannot be set: {owned[name.lower()]}")
    if sum(name.lower() == "host" for name, _ in pairs) > 1:
        raise OptionError("header 'Host' is given twice (RFC 9112 section 3.2)")
    return pairs


def _pairs(value: Any) -> HeaderPairs:
    pairs: list[tuple[str, str]] = []
    if isinstance(value, str | bytes):
        raise Refused(_WRITTEN_SO)
    for entry in items(value.items() if isinstance(value, Mapping) else value):
        if not isinstance(entry, tuple | list) or len(entry) != 2:
            raise Refused(f"It holds {type(entry).__name__}. {_WRITTEN_SO}")
        name, content = entry
        if not isinstance(name, str):
            raise Refused(f"A header's name is {type(name).__name__}, not str.")
        if not is_token(name):
            # Only its first word is shown: the whole may be "Authorization: Bearer ...".
            word = _WORD_END.split(name, maxsplit=1)[0][:40]
            raise Refused(f"The header name that starts with {word!r} is no token (RFC 9110).")
        for single in content if isinstance(content, tuple | list) else (content,):
            if not isinstance(single, str):
                raise Refused(f"The value of {name!r} is {type(single).__name__}, not str.")
            pairs.append((name, single))
    return tuple(pairs)


def request_headers() -> Check:
    """``headers``: constant, or a callable whose result `normalise_headers` takes per attempt."""

    def convert(value: Any) -> object:
        if callable(value) and not isinstance(value, Mapping):
            return value
        return _checked(value, HANDSHAKE_OWNS)

    return Check(f"{_HEADER_FORMS}, or a callable giving one of these", convert, secret=True)


def connect_headers() -> Check:
    """``proxy_headers``: as ``headers``, but for the proxy and without a callable."""
    return Check(_HEADER_FORMS, lambda value: _checked(value, CONNECT_OWNS), secret=True)


def subprotocols() -> Check:
    """Names to offer, in order of preference (RFC 6455 section 4.1, item 10)."""

    def convert(value: Any) -> tuple[str, ...]:
        if isinstance(value, str):
            raise Refused("Give a list, also for one name: ['chat'].")
        names = items(value)
        for name in names:
            if not isinstance(name, str):
                raise Refused(f"It holds {type(name).__name__}.")
            if not is_token(name):
                raise Refused(f"{name[:40]!r} is no token (RFC 9110 section 5.6.2).")
        if len(set(names)) < len(names):
            raise Refused("A name may be offered once only.")
        return names

    return Check("a list or tuple of names, each a token and none twice", convert)


def header_text(header: str, meaning: str, *, empty: bool) -> Check:
    """A str that may be the value of ``header``, or None."""

    def convert(value: Any) -> str:
        content = plain_text(value, empty=empty)
        check_header(header, content)
        return content

    return Check(f"a str ({meaning}) or None", convert)


def cookies() -> Check:
    """A jar, stored as it is; or name -> value, stored as pairs, whose meaning no value changes."""

    def convert(value: Any) -> object:
        if hasattr(value, "add_cookie_header") and hasattr(value, "extract_cookies"):
            if isinstance(value, type):
                raise Refused("This is the class; give an instance of it.")
            return value
        pairs = items(value.items() if isinstance(value, Mapping) else value)
        for pair in pairs:
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise Refused(f"It holds {type(pair).__name__}.")
            name, content = pair
            if not isinstance(name, str) or not is_token(name):
                raise Refused("A cookie's name must be a token (RFC 6265 section 4.1.1).")
            if not isinstance(content, str):
                raise Refused(f"The value of {name!r} is {type(content).__name__}, not str.")
            # RFC 6265 4.1.1 forbids more (blanks, commas, quotes), but servers set such cookies
            # and expect them back as they were. These would change the header's meaning.
            if not content.isascii() or _NOT_IN_A_COOKIE.search(content):
                raise Refused(
                    f"The value of {name!r} holds a control character, a semicolon, an outer "
                    "blank or is not ASCII; percent-encode it."
                )
        return tuple((name, content) for name, content in pairs)

    return Check(
        "a mapping of cookie names to values (both str), or an http.cookiejar.CookieJar",
        convert,
        secret=True,
    )


def auth(url: str = "the URL") -> Check:
    """Credentials, or a callable asked for them, with `url`, per attempt."""

    def convert(value: Any) -> Basic | Bearer | Digest | Callable[..., object]:
        from tieline.auth import Basic, Bearer, Digest  # for those who log in
        from tieline.auth.asking import sees_challenges

        if isinstance(value, Basic | Bearer | Digest):
            return value
        if isinstance(value, tuple | list) and len(value) == 2:
            return Basic(*value)
        if isinstance(value, type):
            raise Refused("This is the class; give an instance of it.")
        if not callable(value):
            raise Refused
        sees_challenges(value)  # or it cannot be called
        return value  # type: ignore[no-any-return]

    return Check(
        f"(user, password), Basic, Digest, Bearer, a callable that gets {url} (and perhaps the "
        "challenges) and gives one of these or None, or None",
        convert,
        secret=True,
    )


def netrc() -> Check:
    """False, True, or the file's path."""
    path = file_path("a netrc file")

    def convert(value: Any) -> object:
        if isinstance(value, bool):
            return value
        if value is None:
            raise Refused("Use False for none.")
        return path.convert(value)

    return Check("True, False, or a path (str or os.PathLike) to a netrc file", convert)


def username() -> Check:
    """A user name for basic authentication: no colon (RFC 7617 section 2)."""
    return _text_for("a str without a colon, or None", lambda value: _pair(value, ""))


def password() -> Check:
    """A password for basic authentication."""
    return _text_for("a str or None", lambda value: _pair("", value), secret=True)


def _pair(username: str, password: str) -> object:
    from tieline.auth import Basic

    return Basic(username, password)


def token() -> Check:
    """A token for the Authorization header."""
    function = "A function that gives a fresh one each time goes to auth= or headers=."
    return _text_for("a str or None", _bearer, secret=True, function=function)


def _bearer(token: str) -> object:
    from tieline.auth import Bearer

    return Bearer(token)


def _text_for(
    accepted: str, use: Callable[[str], object], *, secret: bool = False, function: str = ""
) -> Check:
    """A str that ``use`` does not refuse, or None. `function`: what to do with one."""

    def convert(value: Any) -> str:
        if not isinstance(value, str):
            raise Refused(function if callable(value) else "")
        use(value)
        return value

    return Check(accepted, convert, secret)


def token_type() -> Check:
    """The scheme in front of the token."""

    def convert(value: Any) -> str:
        if not isinstance(value, str) or not is_token(value):
            raise Refused
        return value

    # Secret, because token and token_type are easily given in the wrong order.
    return Check("one word such as 'Bearer' or 'Token'", convert, secret=True)


def url() -> Check:
    """The URL as text or a callable, or a tuple of these; `tieline.transport.url` reads them."""

    def convert(value: Any) -> object:
        if not isinstance(value, tuple | list):
            return _url(value)
        if not value:
            raise Refused("It is empty.")
        for entry in value:
            if not isinstance(entry, str) and not callable(entry):
                raise Refused(f"It holds {type(entry).__name__}.")
        return tuple(map(_url, value))

    return Check(
        "a str such as 'wss://example.com/feed', a callable giving one, or a list of these", convert
    )


def _url(value: Any) -> object:
    if callable(value) and not isinstance(value, type):
        return value
    return plain_text(value)
