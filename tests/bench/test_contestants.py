"""The names of the clients, the choice among them, and those of the command line."""

from __future__ import annotations

import sys

import pytest

from bench.contestants import NAMES, added, chosen


def test_everybody_is_here_or_has_a_reason_not_to_be() -> None:
    found, missing = chosen([])
    assert sorted([*(each.name for each in found), *missing]) == sorted(NAMES)
    assert all(missing.values())


def test_a_front_takes_settings() -> None:
    (contestant,), missing = chosen(["tieline-plain?backend=zlib&level=6"])
    assert not missing and contestant.kind == "ours"
    assert contestant.command[1:] == (
        "-m",
        "bench.client",
        "tieline_plain?backend=zlib&level=6",
    )
    assert contestant.command[0] == sys.executable


def test_one_more_client_of_the_command_line() -> None:
    contestant = added("before=/old/bin/python -m bench.client 'tieline plain'", "added")
    assert (contestant.name, contestant.kind) == ("before", "added")
    assert contestant.command == ("/old/bin/python", "-m", "bench.client", "tieline plain")


def test_names_and_commands_that_are_wrong() -> None:
    with pytest.raises(ValueError, match="'picwos'; --list"):
        chosen(["picwos"])
    with pytest.raises(ValueError, match="NAME=COMMAND"):
        added("before", "added")
