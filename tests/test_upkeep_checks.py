"""Offline limits and heartbeats: what is stored, and what a refusal tells to do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.refusals import SECRET, URL, refusal
from tieline.options import Options
from tieline.upkeep_checks import DEFAULT_LIMIT


def stored(**given: Any) -> Any:
    (name,) = given.keys() - {"heartbeat_interval"}
    return getattr(Options.build(URL, given), name)


def test_a_limit_of_bytes_alone_keeps_the_default_of_messages() -> None:
    assert DEFAULT_LIMIT == (1024 * 1024, 1024)
    assert stored(offline_limit=10) == (10, 1024)
    assert stored(offline_limit=[10, 3]) == (10, 3)


@pytest.mark.parametrize("wrong", [0, None, (1, 0), (0, 1), 2**63])
def test_nothing_is_kept_without_bound(wrong: Any) -> None:
    assert "(bytes, messages)" in refusal(URL, offline_limit=wrong)


def test_a_policy_names_what_there_is() -> None:
    assert "'raise' or 'queue'; got str ('keep')" in refusal(URL, offline="keep")
    text = refusal(URL, offline_overflow="drop")
    assert "'raise', 'drop_oldest' or 'drop_newest'" in text


def test_the_memory_of_a_heartbeat_is_not_its_users() -> None:
    given = bytearray(b"ping")
    options = Options.build(URL, {"heartbeat_message": given, "heartbeat_interval": 1})
    given[:] = b"pong"
    assert options.heartbeat_message == b"ping"


def test_a_function_is_asked_later() -> None:
    def give() -> str:
        raise AssertionError("asked too early")

    assert stored(heartbeat_message=give, heartbeat_interval=1) is give


def test_a_heartbeat_may_hold_a_secret() -> None:
    for wrong in ({"token": SECRET}, [SECRET], SECRET + "\ud800"):
        assert "heartbeat_message" in refusal(URL, heartbeat_message=wrong, heartbeat_interval=1)


def test_nothing_awaits_a_heartbeat() -> None:
    async def give() -> str:
        await asyncio.sleep(0)
        return ""

    assert "coroutine function" in refusal(URL, heartbeat_message=give, heartbeat_interval=1)
    assert "class" in refusal(URL, heartbeat_message=str, heartbeat_interval=1)
