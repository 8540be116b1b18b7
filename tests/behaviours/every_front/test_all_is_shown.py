"""The tests of this folder → which options they show; none may be left out without a reason."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from tieline import Options

#: Option -> why it is not shown here.
SHOWN_ELSEWHERE = {
    "http_version": "there is only 1.1 to choose",
    "socket_options": "the peer cannot see it; the dial is common: tests/transport/test_dial.py",
    "ssl_ca_path": "as ssl_ca_data: tests/transport/test_certificates.py",
    "ssl_cert_path": "as ssl_cert_data: tests/transport/test_certificates.py",
    "ssl_key_path": "as ssl_key_data: tests/transport/test_certificates.py",
    "ssl_key_data": "as ssl_cert_data, which may hold the key",
    "executor": "WebSocketClient only: tests/behaviours/test_executor.py",
    "streaming": "WebSocketClient only: tests/behaviours/test_streaming_in.py",
}


def test_every_option_is_shown() -> None:
    """`@shows("name", ...)` stands before the test that would fail without it."""
    shown: set[str] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for options in re.findall(r"^@shows\(([^)]*)\)", path.read_text(), re.MULTILINE):
            shown.update(re.findall(r'"(\w+)"', options))
    assert shown.isdisjoint(SHOWN_ELSEWHERE)
    assert shown | set(SHOWN_ELSEWHERE) == {option.name for option in fields(Options)}
