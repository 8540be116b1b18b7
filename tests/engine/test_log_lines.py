"""ConnectionLines: a prefix, and else what the logger does."""

from __future__ import annotations

import logging
from typing import Any

from tieline.engine.log_lines import ConnectionLines


def test_a_line_gets_the_prefix(caplog: Any) -> None:
    ConnectionLines(None, 5).warning("lost %s", "it")
    (record,) = caplog.records
    assert (record.name, record.getMessage()) == ("tieline", "[5] lost it")


def test_what_is_no_text_is_made_one(caplog: Any) -> None:
    ConnectionLines(logging.getLogger("mine"), 6).error(ValueError("why"))
    assert caplog.records[0].getMessage() == "[6] why"


def test_what_the_logger_does_not_want_is_not_said(caplog: Any) -> None:
    ConnectionLines(None, 7).debug("a")
    assert caplog.records == []
