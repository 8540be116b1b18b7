"""A row of the table is a dataclass field that carries its texts and its check."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass, fields

from tieline.option_checks import boolean, shown_callable
from tieline.option_field import LateFunction, option
from tieline.options import Options

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


def test_a_late_function_is_the_function() -> None:
    assert Options(url="ws://a/").json_dumps is json.dumps
    assert Options.json_loads is json.loads
    assert LateFunction("json", "loads")("[1]") == [1]
    assert shown_callable(LateFunction("json", "dumps")) == "json.dumps"
    given = Options(url="ws://a/", json_dumps=json.dumps)
    assert given == Options(url="ws://a/")
    assert hash(given) == hash(Options(url="ws://a/"))
    assert repr(Options(url="ws://a/")) == "Options(url='ws://a/')"
    assert pickle.loads(pickle.dumps(given)) == given


def test_a_late_function_is_loaded_when_the_option_is_read(
    modules_loaded_by: Callable[[str], set[str]],
) -> None:
    made = "from tieline.options import Options; made = Options(url='ws://a/'); repr(made)"
    assert "json" not in modules_loaded_by(made)
    assert "json" in modules_loaded_by(f"{made}; made.json_dumps")
