"""ConnectionLog: every line names its connection."""

from __future__ import annotations

import logging
from typing import Any

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
