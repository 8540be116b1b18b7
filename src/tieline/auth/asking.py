"""The callable that an `auth` option holds → credentials for one request, or for a challenge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tieline.auth.challenges import Challenge
from tieline.auth.credentials import Basic, Bearer
from tieline.auth.digest import Digest
from tieline.errors import OptionError

#: Gets the URL, masked, and perhaps the challenges; gives credentials or None.
AuthCallable = Callable[..., object]

_FORMS = "auth(url) or auth(url, challenges)"


def sees_challenges(function: AuthCallable) -> bool:
    """True for `auth(url, challenges)`, False for `auth(url)`, by the signature.

    A second parameter with a default counts only when it is called challenges: `lambda url,
    key=key: ...` is the common way to keep a value. Raises `OptionError` when it can be called in
    neither way.
    """
    from inspect import Parameter, iscoroutinefunction, signature  # late: it takes long to load

    if iscoroutinefunction(function) or iscoroutinefunction(type(function).__call__):
        raise OptionError(
            "an async function cannot be awaited by the thread that dials; give a plain one, which "
            "may block"
        )
    try:
        known = signature(function)
    except (ValueError, TypeError):
        return False  # some built-in functions do not tell
    positional = [
        each
        for each in known.parameters.values()
        if each.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    ]
    second = positional[1] if len(positional) > 1 else None
    wants_both = second is not None and (
        second.default is Parameter.empty or second.name == "challenges"
    )
    try:
        known.bind(*("url", ()) if wants_both else ("url",))
    except TypeError:
        kind = type(function).__name__
        raise OptionError(f"expected {_FORMS}, got a {kind} that cannot be called so") from None
    return wants_both


def ask(
    option: str, function: AuthCallable, url: str, challenges: tuple[Challenge, ...] | None
) -> Basic | Bearer | Digest | None:
    """What the callable gives. What it raises passes through. `challenges`: None, if it takes none.

    Raises `OptionError` when it gives something else.
    """
    given: Any = function(url) if challenges is None else function(url, challenges)
    if isinstance(given, tuple | list) and len(given) == 2:
        return Basic(*given)
    if not isinstance(given, Basic | Bearer | Digest | None):
        raise OptionError(
            f"option {option!r}: the callable must give Basic, Digest, Bearer, (user, password) or "
            f"None, got {type(given).__name__}"
        )
    return given
