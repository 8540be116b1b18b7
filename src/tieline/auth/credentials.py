"""A pair or a token → the value of an Authorization or Proxy-Authorization header."""

from __future__ import annotations

from binascii import b2a_base64
from dataclasses import dataclass

from tieline.errors import OptionError
from tieline.headers import is_token
from tieline.patterns import pattern
from tieline.redact import MASK, safe_username

_CONTROL = pattern(r"[\x00-\x1f\x7f]")
_HALF_PAIR = pattern("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, repr=False)
class Basic:
    """A user name and a password, sent in the clear but for TLS (RFC 7617).

    Raises `OptionError` for a part that is not a str, for a colon in the user name and for
    control characters. Immutable: any thread may share one.
    """

    username: str
    password: str

    def __post_init__(self) -> None:
        check_pair("Basic", self.username, self.password)

    def header_value(self) -> str:
        """The header's value: ``Basic`` and the base64 of the UTF-8 of user name and password."""
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + b2a_base64(pair, newline=False).decode("ascii")

    def __repr__(self) -> str:
        username = safe_username(self.username, self.password)
        return f"Basic(username={username!r}, password={MASK})"


@dataclass(frozen=True, slots=True, repr=False)
class Bearer:
    """A token, sent after its scheme: ``Bearer TOKEN`` (RFC 6750), or another ``token_type``.

    Raises `OptionError` for a token that is empty, is not printable ASCII or begins or ends with
    white space, and for a ``token_type`` that is not a token of RFC 9110. Immutable: any thread
    may share one.
    """

    token: str
    token_type: str = "Bearer"

    def __post_init__(self) -> None:
        _check_type("Bearer: the token", self.token)
        _check_type("Bearer: token_type", self.token_type)
        if not self.token:
            raise OptionError("Bearer: the token is empty; leave it out to send none")
        # Mostly a token read from a file together with the newline at its end.
        if self.token != self.token.strip():
            raise OptionError(
                "Bearer: the token begins or ends with white space; call strip() on it"
            )
        if not (self.token.isascii() and self.token.isprintable()):
            raise OptionError(
                "Bearer: the token holds a character that no header may carry; expected printable "
                "ASCII (RFC 6750 section 2.1)"
            )
        if not is_token(self.token_type):
            raise OptionError(
                "Bearer: token_type must be the name of an authentication scheme, one word of "
                "letters, digits and - . _ such as 'Bearer' (RFC 9110 section 11.1)"
            )

    def header_value(self) -> str:
        """The header's value: the token type, a space, the token."""
        return f"{self.token_type} {self.token}"

    def __repr__(self) -> str:
        return f"Bearer(token={MASK}, token_type={safe_scheme(self.token_type)!r})"


#: Names of schemes, in lower case, that are shown. Anything else may be the secret itself, written
#: in the wrong place.
_SCHEMES = frozenset(
    {"basic", "bearer", "digest", "negotiate", "ntlm", "kerberos", "hoba", "dpop", "vapid"}
    | {"token", "key", "apikey", "api-key", "jwt", "oauth"}
)


def safe_scheme(name: str) -> str:
    """The name of a scheme that users have given, or what stands for it."""
    return name if name.lower() in _SCHEMES else "another scheme"


def check_pair(scheme: str, username: object, password: object) -> None:
    """Raise `OptionError` for what `Basic` and `Digest` alike cannot carry."""
    _check_text(f"{scheme}: the user name", username)
    _check_text(f"{scheme}: the password", password)
    # RFC 7617 section 2, RFC 7616 section 3.4.2: the first colon ends the user name, so one inside
    # it would move the rest of the name into the password.
    if ":" in str(username):
        raise OptionError(
            f"{scheme}: the user name holds a colon, which HTTP authentication cannot carry "
            "(RFC 7617); the part after the colon may belong to the password"
        )


def _check_type(what: str, value: object) -> None:
    if not isinstance(value, str):
        raise OptionError(f"{what} must be a str, got {type(value).__name__}")


def _check_text(what: str, value: object) -> None:
    _check_type(what, value)
    assert isinstance(value, str)
    # RFC 7617 2 rules out all control characters, not only those that would split the header.
    if _CONTROL.search(value):
        raise OptionError(f"{what} holds a control character (RFC 7617 section 2)")
    # Looked for by hand: the codec's own error would quote the text, which may be the password.
    if _HALF_PAIR.search(value):
        raise OptionError(f"{what} holds half a surrogate pair, which UTF-8 cannot encode")
