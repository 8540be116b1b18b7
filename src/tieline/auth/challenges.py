"""WWW-Authenticate and Proxy-Authenticate lines → challenges (RFC 9110 section 11.6.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType

from tieline.patterns import pattern

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"

# Possessive throughout, and each match begins where the last one ended: so no line, however long
# and odd, takes more than a few looks at each character. Beyond the grammar an unquoted value may
# hold more than a token, and a comma may be missing, as servers have it and other clients take it.
_SCHEME = pattern(rf"({_TOKEN})(?=[ \t,]|\Z)[ \t]*+")
_PARAMETER = pattern(rf'(?s)({_TOKEN})[ \t]*+=(?!=)[ \t]*+(?:"((?:[^"\\]|\\.)*+)"|([^ \t,"]++))')
_TOKEN68 = pattern(r"([-._~+/0-9A-Za-z]++=*+)[ \t]*+(?=,|\Z)")
_SEPARATORS = pattern(r"[ \t,]*+")
#: What is none of these, up to the comma that ends it; a comma in quotes does not.
_GARBAGE = pattern(r'(?s)(?:"(?:[^"\\]|\\.)*+\\?(?:"|\Z)|[^,"])++')
_ESCAPED = pattern(r"(?s)\\(.)")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to log in that a server, or a proxy, offers. Immutable.

    The texts are the server's own, so any text.
    """

    #: The scheme in lower case: "basic", "digest", "bearer", "negotiate", ...
    scheme: str
    #: What the user is asked to log in to, in the server's words, with U+FFFD for what cannot be
    #: printed; None when it says nothing.
    realm: str | None = None
    #: All parameters: names in lower case → values, quotes and escapes undone. Like all header
    #: values each byte is one character; `realm` is read as UTF-8 where it is that.
    parameters: Mapping[str, str] = field(default_factory=dict, hash=False)
    #: What some schemes have in place of parameters (RFC 9110 section 11.2).
    token68: str | None = None


def parse_challenges(lines: Iterable[str]) -> tuple[Challenge, ...]:
    """All challenges of the header's lines, in order; what is no challenge is passed over.

    One line may hold several, one challenge does not go over several lines. Of a parameter that is
    given twice the first counts.
    """
    return tuple(challenge for line in lines for challenge in _of_line(line))


def parse_parameters(lines: Iterable[str]) -> Mapping[str, str]:
    """The parameters of Authentication-Info lines, which name no scheme (RFC 9110 11.6.3)."""
    (only, *_) = _of_line("info," + ", ".join(lines))
    return only.parameters


def _of_line(line: str) -> Iterator[Challenge]:
    scheme: str | None = None
    parameters: dict[str, str] = {}
    token68: str | None = None
    position = 0
    while True:
        match = _SEPARATORS.match(line, position)
        assert match is not None  # it matches nothing, too
        position = match.end()
        if position == len(line):
            break
        found = _PARAMETER.match(line, position)
        if found is None and (begun := _SCHEME.match(line, position)) is not None:
            if scheme is not None:
                yield _challenge(scheme, parameters, token68)
            scheme, parameters, token68 = begun[1].lower(), {}, None
            position = begun.end()
            found = _PARAMETER.match(line, position)
            if found is None and (value := _TOKEN68.match(line, position)) is not None:
                token68 = value[1]
                position = value.end()
                continue
        if found is not None:
            name, quoted, plain = found.groups()
            content = plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
            if scheme is not None:
                parameters.setdefault(name.lower(), content)
            position = found.end()
        elif (garbage := _GARBAGE.match(line, position)) is not None:
            position = garbage.end()
    if scheme is not None:
        yield _challenge(scheme, parameters, token68)


def _challenge(scheme: str, parameters: dict[str, str], token68: str | None) -> Challenge:
    realm = parameters.get("realm")
    if realm is not None:
        with suppress(UnicodeError):
            realm = realm.encode("latin-1").decode()
        # It is for people to read, also in logs and on terminals.
        realm = "".join(each if each.isprintable() else "\ufffd" for each in realm)
    return Challenge(scheme, realm, MappingProxyType(parameters), token68)
