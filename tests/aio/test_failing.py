"""give_up: an error ends the connection, Ctrl-C ends it and goes on."""

from __future__ import annotations

from typing import Any

import pytest

from tieline.aio.failing import give_up


class Registrant:
    def __init__(self) -> None:
        self.failed: list[Exception] = []

    def fail(self, error: Exception) -> None:
        self.failed.append(error)


def test_an_error() -> None:
    registrant: Any = Registrant()
    error = ValueError()
    give_up(registrant, error)
    assert registrant.failed == [error]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_ctrl_c(kind: type[BaseException]) -> None:
    registrant: Any = Registrant()
    with pytest.raises(kind):
        give_up(registrant, kind())
    (error,) = registrant.failed
    assert isinstance(error, ConnectionAbortedError) and "interrupted" in str(error)
