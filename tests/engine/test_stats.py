"""Traffic: what connections have counted can be added up."""

from __future__ import annotations

from dataclasses import fields

from tieline.engine.stats import Traffic


def test_plus_and_minus() -> None:
    one = Traffic(**{field.name: number for number, field in enumerate(fields(Traffic), 1)})
    assert one.plus(one).plus(one, -1) == one
    assert one.plus(one, -1) == Traffic()
