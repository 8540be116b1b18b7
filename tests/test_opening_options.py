"""The two halves of the table are one table; its rows are tested in test_option_table.py."""

from __future__ import annotations

from dataclasses import fields

from tieline.opening_options import OpeningOptions
from tieline.options import Options


def test_the_options_of_opening_come_first_and_the_url_first_of_all() -> None:
    opening = [entry.name for entry in fields(OpeningOptions)]
    assert [entry.name for entry in fields(Options)][: len(opening)] == opening
    assert opening[0] == "url"


def test_they_are_what_the_groups_say() -> None:
    for entry in fields(Options):
        is_opening = entry.metadata["group"] in ("request", "route", "TLS")
        assert is_opening == hasattr(OpeningOptions, entry.name), entry.name
