"""Text such as "1-16,40" → the numbers of the cases to run."""

from __future__ import annotations


def parse_case_numbers(text: str, count: int) -> list[int]:
    """The numbers that `text` names, in its order, each once; all up to `count` when it is empty.

    Raises ValueError for what is not a number or a range, and for numbers that the server lacks.
    """
    if not text:
        return list(range(1, count + 1))
    numbers: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        try:
            start, stop = int(first), int(last if dash else first)
        except ValueError:
            raise ValueError(
                f"cases: expected numbers and ranges such as 1-16,40, got {part!r}"
            ) from None
        if not 1 <= start <= stop <= count:
            raise ValueError(f"cases: expected numbers from 1 to {count}, got {part!r}")
        numbers.update(dict.fromkeys(range(start, stop + 1)))
    return list(numbers)
