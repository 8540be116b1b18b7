"""A call that must raise OptionError → its text, after a look for secrets."""

from __future__ import annotations

from typing import Any

import pytest

from tieline.errors import OptionError
from tieline.options import Options

URL = "wss://example.com/feed"
SECRET = "hunter2-is-secret"
PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
HEX = "0123456789abcdef" * 4

#: What no method takes as its timeout.
NO_SECONDS = [-1, float("nan"), float("inf"), 1e12, "5", True, 10**400]


class Stranger:
    """Of no type that any option takes. Its repr must not be asked for."""

    def __repr__(self) -> str:
        raise AssertionError("an error text must not hold the repr of a user's object")


def refusal(url_or_options: Any, /, **keywords: Any) -> str:
    """The text of the OptionError that these arguments raise."""
    with pytest.raises(OptionError) as caught:
        Options.build(url_or_options, keywords)
    assert_silent(caught.value)
    return str(caught.value)


def assert_silent(error: BaseException) -> None:
    """The error shows no secret, nor does any error that hangs on it."""
    link: BaseException | None = error
    while link is not None:
        assert SECRET not in str(link) + repr(link)
        link = link.__cause__ or link.__context__
