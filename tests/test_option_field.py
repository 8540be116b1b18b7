"""A row of the table is a dataclass field that carries its texts and its check."""

from __future__ import annotations

from dataclasses import dataclass, fields

from tieline.option_checks import boolean
from tieline.option_field import option

CHECK = boolean()


@dataclass(frozen=True)
class Table:
    loud: bool = option("other", False, "make noise", CHECK)
    odd: bool = option("other", True, "not part of the hash", CHECK, hashed=False)


def test_a_field_carries_its_row() -> None:
    loud, _ = fields(Table)
    assert loud.default is False
    assert loud.metadata == {"group": "other", "meaning": "make noise", "check": CHECK}


def test_what_has_no_hash_is_left_out_of_it() -> None:
    assert hash(Table(odd=True)) == hash(Table(odd=False))
    assert hash(Table(loud=True)) != hash(Table(loud=False))
    assert Table(odd=True) != Table(odd=False)
