"""ConnectionLog: every line names its connection."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tieline.engine import log
from tieline.engine.log import ConnectionLog


def test_the_default_logger(caplog: Any) -> None:
    ConnectionLog(None, 5).warning("lost %s", "it")
    (record,) = caplog.records
    assert (record.name, record.getMessage()) == ("tieline", "[5] lost it")


def test_a_logger_of_the_users(caplog: Any) -> None:
    ConnectionLog(logging.getLogger("mine"), 6).warning("lost")
    assert caplog.records[0].name == "mine"


def test_an_adapter_of_the_users(caplog: Any) -> None:
    adapter = logging.LoggerAdapter(logging.getLogger("mine"), {"customer": 1})
    ConnectionLog(adapter, 7).warning("lost")
    assert caplog.records[0].getMessage() == "[7] lost"
    assert caplog.records[0].customer == 1


def test_a_line_names_the_place_that_it_is_from(caplog: Any) -> None:
    with caplog.at_level(logging.DEBUG, logger="tieline"):
        mine = ConnectionLog(None, 8)
        mine.debug("debug")
        mine.info("info")
        mine.warning("warning")
        mine.error("error")
        mine.log(logging.INFO, "log")
        try:
            raise ValueError("why")
        except ValueError:
            mine.exception("exception")

    assert [record.getMessage() for record in caplog.records] == [
        "[8] debug",
        "[8] info",
        "[8] warning",
        "[8] error",
        "[8] log",
        "[8] exception",
    ]
    assert [record.levelno for record in caplog.records] == [10, 20, 30, 40, 20, 40]
    assert {record.filename for record in caplog.records} == {"test_log.py"}
    assert caplog.records[-1].exc_info[0] is ValueError


def test_levels_are_those_of_logging(caplog: Any) -> None:
    assert (log.DEBUG, log.INFO, log.WARNING) == (logging.DEBUG, logging.INFO, logging.WARNING)
    with caplog.at_level(logging.INFO, logger="tieline"):
        assert ConnectionLog(None, 9).isEnabledFor(log.INFO)
        assert not ConnectionLog(None, 9).isEnabledFor(log.DEBUG)


MADE = "from tieline.engine.log import ConnectionLog; log = ConnectionLog(None, 1)\n"


@pytest.mark.parametrize("unread", ["log.info('a')", "log.debug('a')", "log.isEnabledFor(20)"])
def test_what_nobody_reads_loads_nothing(
    unread: str, modules_loaded_by: Callable[[str], set[str]]
) -> None:
    assert "logging" not in modules_loaded_by(MADE + unread)


def test_without_any_preparation_warnings_are_shown() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MADE + "log.info('unseen'); log.warning('lost %s', 'it')"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "[1] lost it\n")


def test_who_loads_logging_later_reads_what_comes_then() -> None:
    later = "log.info('before'); import logging; logging.basicConfig(level=10); log.info('after')"
    done = subprocess.run(
        [sys.executable, "-c", MADE + later], capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "INFO:tieline:[1] after\n")
