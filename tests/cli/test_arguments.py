"""Words that cannot be used, and what is said about them."""

from __future__ import annotations

import pytest

from tieline.cli.arguments import parse
from tieline.cli.status import CommandError


@pytest.mark.parametrize(
    "line, said",
    [
        (
            "",
            "expected a command: connect, listen, send, explain, serve or demo; see tieline --help",
        ),
        ("dance", "invalid choice: 'dance'"),
        ("connect", "required: URL"),
        ("send ws://host/", "required: MESSAGE"),
        ("listen ws://host/ more", "too many arguments; see tieline listen --help"),
        ("listen ws://host/ --jason", "unknown option --jason; see tieline listen --help"),
        ("listen ws://host/ --count 0", "expected a whole number, 1 or more, got '0'"),
        ("listen ws://host/ --duration 0", "expected a number of seconds above 0, got '0'"),
        ("connect ws://host/ --wait -1", "expected a number of seconds, 0 or more, got '-1'"),
        ("connect ws://host/ --wait nan", "expected a number of seconds, 0 or more, got 'nan'"),
        ("connect ws://host/ --timeout soon", "expected a number of seconds above 0, got 'soon'"),
        ("serve --port 65536", "expected a port, 0 to 65535, got '65536'"),
        # No abbreviations: what they stand for may change with a new option.
        ("listen ws://host/ --dura 3", "unknown option --dura"),
    ],
)
def test_what_cannot_be_used_is_one_line(line: str, said: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse(line.split())

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.status == 2


@pytest.mark.parametrize("line", ["--debug demo", "demo --debug"])
def test_debug_may_stand_before_and_after_the_command(line: str) -> None:
    assert parse(line.split()).debug is True
    assert parse(["demo"]).debug is False


def test_what_follows_two_dashes_is_a_message() -> None:
    assert parse(["send", "ws://host/", "--", "-1", "--binary"]).messages == ["-1", "--binary"]
