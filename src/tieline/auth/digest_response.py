"""A Digest challenge, a name and a password → the proof of RFC 7616 section 3.4, and its check."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from tieline.auth.challenges import Challenge
from tieline.headers import is_sendable
from tieline.patterns import pattern

#: Algorithm without "-sess", in lower case → hashlib's name. The strongest first.
_ALGORITHMS = {"sha-512-256": "sha512_256", "sha-256": "sha256", "md5": "md5"}
_STRENGTH = list(_ALGORITHMS)

_ALGORITHM = pattern("[-A-Za-z0-9]+")

#: RFC 8187 section 3.2.1: what needs no percent encoding in `username*`.
_UNRESERVED = "!#$&+^`|"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """One Digest challenge that can be answered. Immutable."""

    realm: str
    nonce: str
    #: As the server writes it; None: it names none, which means MD5.
    algorithm: str | None
    #: "auth" or "auth-int"; None for servers that know RFC 2069 only.
    qop: str | None
    opaque: str | None
    userhash: bool
    #: The server announces that it reads UTF-8.
    utf_8: bool

    @property
    def method(self) -> str:
        """The algorithm without "-sess", in lower case."""
        return (self.algorithm or "md5").lower().removesuffix("-sess")

    @property
    def per_session(self) -> bool:
        """The proof is made of a key that the first nonces of both sides belong to."""
        return (self.algorithm or "").lower().endswith("-sess")

    def digest(self, *parts: str) -> str:
        """H(parts joined by colons), in hexadecimal."""
        return hasher(self.method)(":".join(parts).encode("utf-8", "surrogateescape"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The answer to a challenge for one request. The repr shows nothing of it."""

    #: What it answers to.
    terms: Terms = field(repr=False)
    #: The header's value.
    header: str = field(repr=False)
    #: What `rspauth` has to be in the server's Authentication-Info.
    expected: str = field(repr=False)


def hasher(method: str) -> Callable[[bytes], str]:
    """bytes → hexadecimal digest. Raises ValueError when this Python's OpenSSL has it not."""
    import hashlib  # late: it loads OpenSSL

    name = _ALGORITHMS[method]
    # What is protected here is no file or signature; FIPS builds want to be told.
    hashlib.new(name, usedforsecurity=False)
    return lambda data: hashlib.new(name, data, usedforsecurity=False).hexdigest()


def choose(challenges: Iterable[Challenge]) -> Challenge | None:
    """The Digest challenge with the strongest algorithm that can be answered, or None."""
    found = [each for each in challenges if each.scheme == "digest" and terms_of(each) is not None]
    # Of equals the server's first one (RFC 9110 section 11.6.1: in its order of preference).
    return min(found, key=_rank, default=None)


def _rank(challenge: Challenge) -> int:
    terms = terms_of(challenge)
    assert terms is not None
    return _STRENGTH.index(terms.method)


def terms_of(challenge: Challenge) -> Terms | None:
    """What a Digest challenge asks for; None when it is not valid, or asks for the impossible."""
    given = challenge.parameters
    nonce, algorithm = given.get("nonce"), given.get("algorithm")
    method = (algorithm or "md5").lower().removesuffix("-sess")
    if nonce is None or method not in _ALGORITHMS or not is_sendable("".join(given.values())):
        return None
    qop: str | None = None
    if "qop" in given:
        offered = [option.strip(" \t").lower() for option in given["qop"].split(",")]
        # The handshake has no body, so that protecting it too is possible, and gains nothing.
        qop = next((known for known in ("auth", "auth-int") if known in offered), None)
        if qop is None:
            return None
    try:
        hasher(method)
    except ValueError:
        return None
    opaque = given.get("opaque")
    return Terms(
        realm=text_of(given.get("realm", "")),
        nonce=text_of(nonce),
        algorithm=algorithm,
        qop=qop,
        opaque=None if opaque is None else text_of(opaque),
        userhash=given.get("userhash", "").lower() == "true",
        utf_8=given.get("charset", "").lower() == "utf-8",
    )


def following(terms: Terms, nextnonce: str) -> Terms:
    """The same with the nonce that the server wants next (3.5), if a header can carry it."""
    return replace(terms, nonce=text_of(nextnonce)) if is_sendable(nextnonce) else terms


def text_of(value: str) -> str:
    """A header's value, one character for each byte → text whose UTF-8 is the very same bytes."""
    try:
        return value.encode("latin-1").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return value  # it comes from no header


def session_key(terms: Terms, username: str, password: str, cnonce: str) -> str:
    """H(A1) of section 3.4.2. Per session it belongs to the first nonces; else to none."""
    key = terms.digest(username, terms.realm, password)
    return terms.digest(key, terms.nonce, cnonce) if terms.per_session else key


def prove(
    terms: Terms,
    username: str,
    key: str,
    *,
    method: str,
    uri: str,
    cnonce: str,
    count: int,
) -> Proof:
    """The Authorization of one request: sections 3.4.1 to 3.4.4. `key` is `session_key`."""
    number = f"{count:08x}"

    def response(request_method: str) -> str:
        second = [request_method, uri]
        if terms.qop == "auth-int":
            second.append(hasher(terms.method)(b""))
        middle = [terms.nonce]
        if terms.qop is not None:
            middle += [number, cnonce, terms.qop]
        return terms.digest(key, *middle, terms.digest(*second))

    fields = [
        _username(terms, username),
        f"realm={_quoted(terms.realm)}",
        f"nonce={_quoted(terms.nonce)}",
        f"uri={_quoted(uri)}",
        f'response="{response(method)}"',
    ]
    if terms.algorithm is not None:
        # A token by the grammar; quoted as it came in case that it was not.
        plain = _ALGORITHM.fullmatch(terms.algorithm)
        fields.append(f"algorithm={terms.algorithm if plain else _quoted(terms.algorithm)}")
    if terms.opaque is not None:
        fields.append(f"opaque={_quoted(terms.opaque)}")
    if terms.qop is not None:
        fields += [f"qop={terms.qop}", f"nc={number}"]
    if terms.qop is not None or terms.per_session:
        fields.append(f'cnonce="{cnonce}"')
    if terms.userhash:
        fields.append("userhash=true")
    # Section 3.5: the server's own proof is made the same way, without a method.
    return Proof(terms=terms, header="Digest " + ", ".join(fields), expected=response(""))


def is_proven(expected: str, rspauth: str) -> bool:
    """True when the server knows the password too (section 3.5)."""
    from hmac import compare_digest  # late, as above

    return compare_digest(expected.encode(), rspauth.lower().encode("utf-8", "replace"))


def _username(terms: Terms, username: str) -> str:
    if terms.userhash:
        return f'username="{terms.digest(username, terms.realm)}"'
    if terms.utf_8 and not (username.isascii() and username.isprintable()):
        from urllib.parse import quote

        # 3.4: what a quoted string cannot hold. Older servers, which announce no character set,
        # do not know this form: they get the bytes of the UTF-8, as from other clients.
        return f"username*=UTF-8''{quote(username, safe=_UNRESERVED)}"
    return f"username={_quoted(username)}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'.encode("utf-8", "surrogateescape").decode("latin-1")
