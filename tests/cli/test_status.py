"""Which ends of a connection count as orderly, and what a note on standard error may hold."""

from __future__ import annotations

import sys

import pytest

from tieline.cli.status import end_status, note
from tieline.protocol.events import Close, CloseInfo


@pytest.mark.parametrize(
    "code, clean, error, status",
    [
        (1000, True, None, 0),
        (1001, True, None, 0),
        (1005, True, None, 0),
        (1008, True, None, 3),
        (1011, True, None, 3),
        (4000, True, None, 3),
        (1006, False, ConnectionResetError(), 3),
        (1000, False, None, 3),
        (1000, True, RuntimeError(), 3),
    ],
)
@pytest.mark.parametrize("initiator", ["local", "remote"])
def test_orderly_ends_are_the_ones_with_an_orderly_code(
    code: int, clean: bool, error: Exception | None, status: int, initiator: str
) -> None:
    received = Close(code, "") if clean else None
    info = CloseInfo(code, "", Close(1000, ""), received, clean, initiator, error)  # type: ignore[arg-type]

    assert end_status(info) == status


def test_a_note_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    note("a\nb\x1b[31m")

    assert capsys.readouterr().err == "a\\nb\\x1b[31m\n"


def test_a_note_that_nobody_can_read_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, text: str) -> None:
            raise BrokenPipeError

        def flush(self) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Gone())
    note("nobody reads this")
    monkeypatch.setattr(sys, "stderr", None)
    note("nor this")
