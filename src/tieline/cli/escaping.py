"""Text of a peer → text that can do nothing to a terminal.

An escape sequence can move the cursor, rename the window or type on the user's behalf, and the
bidirectional controls can show a text in another order than it has. A message is shown as one
line, so that none can pass for two.
"""

from __future__ import annotations

from unicodedata import category

#: Control, format and surrogate characters, line and paragraph separators.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

#: Format characters without power over what is beside them: the joiners of Persian and of emoji,
#: the soft hyphen, and the Arabic number signs, which are visible.
_HARMLESS = frozenset("\u00ad\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u200c\u200d")


def escape(text: str) -> str:
    r"""The text with each unsafe character spelt as in a Python string: ``\n``, ``\x1b``."""
    if text.isprintable():
        return text
    return "".join(_spelt(character) if _is_unsafe(character) else character for character in text)


def escape_json(text: str) -> str:
    r"""JSON text with the same value, each unsafe character spelt as JSON does: ``\u009b``."""
    if text.isprintable():
        return text
    import json  # few texts need it

    return "".join(
        json.dumps(character)[1:-1] if _is_unsafe(character) else character for character in text
    )


def _is_unsafe(character: str) -> bool:
    return category(character) in _UNSAFE and character not in _HARMLESS


def _spelt(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
