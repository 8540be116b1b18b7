"""What is wrong with a URL, and where → an OptionError that shows it masked, and points to it."""

from __future__ import annotations

from typing import NoReturn

from tieline.errors import OptionError
from tieline.redact import MASK, ends_early, secret_spans

#: From where to where in the URL's text.
Span = tuple[int, int]

#: A redirect's location may be as long as a head. An error shows so much of it, and of a part.
_SHOWN = 400
_PART = 64


class URLRefusal:
    """Raises the errors of one URL. `option` is the name that they use.

    One line: the URL, the problem, the offending part with its position in the text that is shown
    (counted from 0, between the quotes), and what is expected. Both are taken from the masked
    text, so whatever a part overlaps with, no secret is in it.
    """

    def __init__(self, option: str, text: str) -> None:
        self._option = option
        self._text = text

    def __call__(self, problem: str, expected: str, part: Span | None = None) -> NoReturn:
        spans = secret_spans(self._text)
        shown = _escaped(_masked(self._text, spans))
        if len(shown) > _SHOWN:
            shown = shown[:_SHOWN] + "..."
        where = "" if part is None else self._pointer(part, spans)
        hint = escaping_hint(self._text)
        raise OptionError(f"{self._option} '{shown}': {problem}{where}; {expected}{hint}")

    def _pointer(self, part: Span, spans: list[Span]) -> str:
        masked = _masked(self._text, spans)
        start, end = _moved(part[0], spans, False), _moved(part[1], spans, True)
        position = f"at position {len(_escaped(masked[:start]))}"
        if start >= end:
            return f" {position}"
        found = _escaped(masked[start:end])
        return f": '{found[:_PART]}{'...' if len(found) > _PART else ''}' {position}"


def escaping_hint(text: str) -> str:
    """For those whose password has ended the authority before its host."""
    if not ends_early(text):
        return ""
    return "; if there is a password, its '#', '/' and '?' are written %23, %2F, %3F"


def _masked(text: str, spans: list[Span]) -> str:
    pieces, position = [], 0
    for start, end in spans:
        pieces += [text[position:start], MASK]
        position = end
    return "".join([*pieces, text[position:]])


def _moved(place: int, spans: list[Span], is_end: bool) -> int:
    """Where a place of the text is once the spans are masked. Inside one it moves out of it."""
    moved = place
    for start, end in spans:
        if end <= place and (start < place or not is_end):
            moved += len(MASK) - (end - start)
        elif start < place:
            return moved - (place - start) + (len(MASK) if is_end else 0)
    return moved


def _escaped(text: str) -> str:
    """As repr does it, but for quotes."""
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(
        each if each.isprintable() and each != "\\" else repr(each)[1:-1] for each in text
    )
