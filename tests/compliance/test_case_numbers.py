"""The text of ``--cases`` → the numbers that it names."""

from __future__ import annotations

import pytest

from compliance.case_numbers import parse_case_numbers


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", [1, 2, 3, 4, 5]),
        ("3", [3]),
        ("2-4", [2, 3, 4]),
        ("5, 1-2", [5, 1, 2]),
        ("1-3,2,3-4", [1, 2, 3, 4]),
    ],
)
def test_numbers_and_ranges(text: str, numbers: list[int]) -> None:
    assert parse_case_numbers(text, 5) == numbers


@pytest.mark.parametrize("text", ["0", "6", "4-6", "3-2", "1.1.1", "1,,2", "-2", "2-", "a-b"])
def test_what_names_no_cases_is_shown_in_the_error(text: str) -> None:
    with pytest.raises(ValueError, match="^cases: expected ") as caught:
        parse_case_numbers(text, 5)
    assert repr(text) in str(caught.value) or repr("") in str(caught.value)
