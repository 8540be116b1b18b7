"""Sec-WebSocket-Extensions ↔ extensions and their parameters (RFC 6455 section 9.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tieline.headers import excerpt
from tieline.patterns import pattern

_TOKEN = pattern(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
# Inside: any character but quote, backslash and controls, or any one behind a backslash.
_QUOTED = pattern(r'"((?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*)"')
_ESCAPED = pattern(r"\\(.)")
_SPACE = pattern(r"[ \t]*")


class Extension(NamedTuple):
    """One element of the list; the parameters in their order, doubles included."""

    name: str
    #: (name, value); None: the parameter has no value.
    parameters: tuple[tuple[str, str | None], ...] = ()

    def __str__(self) -> str:
        """As it stands in the header. Every value is a token, so nothing needs quotes."""
        items = (name if value is None else f"{name}={value}" for name, value in self.parameters)
        return "; ".join((self.name, *items))


def parse_extensions(values: Iterable[str]) -> list[Extension]:
    """The extensions that the header's lines list, in order. Raises `ValueError`.

    9.1: what does not conform to the grammar fails the connection, so nothing is guessed here.
    Empty elements of a list are no error (RFC 9110 section 5.6.1.2).
    """
    return [extension for value in values for extension in _Reader(value).extensions()]


class _Reader:
    """A position in one header value. Every step moves it forward."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def extensions(self) -> list[Extension]:
        found: list[Extension] = []
        while True:
            if self._peek() not in ("", ","):
                found.append(self._extension())
            if not self._peek():
                return found
            if not self._take(","):
                raise self._wrong("',' or ';'")

    def _extension(self) -> Extension:
        name = self._token("an extension's name")
        parameters: list[tuple[str, str | None]] = []
        while self._take(";"):
            parameter = self._token("a parameter's name")
            parameters.append((parameter, self._value() if self._take("=") else None))
        return Extension(name, tuple(parameters))

    def _value(self) -> str:
        if self._peek() != '"':
            return self._token("a value")
        quoted = _QUOTED.match(self._text, self._at)
        # 9.1: what the quotes hold must be a token as well.
        value = _ESCAPED.sub(r"\1", quoted[1]) if quoted else ""
        if quoted is None or not _TOKEN.fullmatch(value):
            raise self._wrong("a token in quotes")
        self._at = quoted.end()
        return value

    def _token(self, what: str) -> str:
        self._peek()
        token = _TOKEN.match(self._text, self._at)
        if token is None:
            raise self._wrong(what)
        self._at = token.end()
        return token[0]

    def _take(self, character: str) -> bool:
        if self._peek() != character:
            return False
        self._at += 1
        return True

    def _peek(self) -> str:
        """The next character that is no space, or nothing at the end."""
        space = _SPACE.match(self._text, self._at)
        assert space is not None
        self._at = space.end()
        return self._text[self._at : self._at + 1]

    def _wrong(self, expected: str) -> ValueError:
        rest = self._text[self._at :]
        found = excerpt(rest) if rest else "its end"
        return ValueError(
            f"Sec-WebSocket-Extensions: expected {expected}, got {found} "
            f"at character {self._at + 1} (RFC 6455 section 9.1)"
        )
