"""Parameters of permessage-deflate: what is taken, what is refused, and what the option stores."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import pytest

from tests.refusals import URL, Stranger, refusal
from tieline.compression import Deflate, parameters_of
from tieline.errors import OptionError
from tieline.options import Options

#: Field -> (least, most); None: no bound.
NUMBERS: dict[str, tuple[int, int | None]] = {
    "level": (0, 9),
    "threshold": (0, None),
    "client_max_window_bits": (8, 15),
    "server_max_window_bits": (8, 15),
    "mem_level": (1, 9),
}
BOOLEANS = ("client_context_takeover", "server_context_takeover")


def refused(**given: Any) -> str:
    with pytest.raises(OptionError) as caught:
        Deflate(**given)
    return str(caught.value)


class FromElsewhere:
    """An int of another library."""

    def __index__(self) -> int:
        return 9


def test_defaults() -> None:
    assert dataclasses.asdict(Deflate()) == {
        "level": 1,
        "threshold": 128,
        "client_context_takeover": True,
        "server_context_takeover": True,
        "client_max_window_bits": 12,
        "server_max_window_bits": 15,
        "mem_level": 5,
    }


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_up_to_their_bounds(name: str) -> None:
    least, most = NUMBERS[name]
    for value in (least, least + 1, 10**6 if most is None else most):
        assert getattr(Deflate(**{name: value}), name) == value
    assert type(getattr(Deflate(**{name: FromElsewhere()}), name)) is int


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_beyond_their_bounds(name: str) -> None:
    least, most = NUMBERS[name]
    accepted = f"an int of {least} or more" if most is None else f"an int from {least} to {most}"
    for value in (least - 1, -1, 2**70, *(() if most is None else (most + 1,))):
        text = refused(**{name: value})
        assert text.startswith(f"option 'Deflate.{name}': expected {accepted}; got int (")
        assert str(value) in text


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("wrong", [None, True, False, "9", 9.0, b"9", Stranger()], ids=type)
def test_what_is_no_number(name: str, wrong: object) -> None:
    text = refused(**{name: wrong})
    assert f"'Deflate.{name}'" in text and type(wrong).__name__ in text


@pytest.mark.parametrize("name", BOOLEANS)
def test_truth_values(name: str) -> None:
    assert getattr(Deflate(**{name: False}), name) is False
    for wrong in (None, 0, 1, "no", Stranger()):
        text = refused(**{name: wrong})
        assert f"'Deflate.{name}': expected True or False; got {type(wrong).__name__}" in text


def test_it_is_a_value() -> None:
    deflate = Deflate(level=6)
    assert deflate == Deflate(level=6) != Deflate()
    assert hash(deflate) == hash(Deflate(level=6))
    assert pickle.loads(pickle.dumps(deflate)) == deflate
    assert dataclasses.replace(deflate, mem_level=9) == Deflate(level=6, mem_level=9)
    with pytest.raises(OptionError):
        dataclasses.replace(deflate, mem_level=10)
    with pytest.raises(dataclasses.FrozenInstanceError):
        deflate.level = 7  # type: ignore[misc]


class TestOption:
    @pytest.mark.parametrize("given", ["deflate", None, Deflate(), Deflate(level=9)], ids=repr)
    def test_is_stored_as_it_is_given(self, given: Any) -> None:
        options = Options.build(URL, {"compression": given})
        assert options.compression == given
        assert Options.build(dict(url=URL, compression=given)) == options
        assert Options.build(options) == options.replace() == options
        assert pickle.loads(pickle.dumps(options)) == options
        assert hash(options) == hash(options.replace())

    def test_is_shown(self) -> None:
        shown = repr(Options(url=URL, compression=Deflate(level=9)))
        assert f"compression={Deflate(level=9)!r}" in shown

    @pytest.mark.parametrize(
        ("wrong", "advice"),
        [
            (True, "Use 'deflate' to turn it on."),
            (False, "Use None to turn it off."),
            (0, "Use None to turn it off."),
            (15, "Deflate(client_max_window_bits=...)"),
            ("permessage-deflate", "Its name here is 'deflate'."),
            ("Deflate", "Its name here is 'deflate'."),
            (Deflate, "This is the class; give an instance of it"),
        ],
    )
    def test_what_other_libraries_take_leads_to_ours(self, wrong: object, advice: str) -> None:
        text = refusal(URL, compression=wrong)
        assert "option 'compression': expected 'deflate', a Deflate(...)" in text
        assert advice in text

    @pytest.mark.parametrize("wrong", ["", "gzip", b"deflate", {"level": 1}, Stranger()], ids=type)
    def test_what_nobody_takes(self, wrong: object) -> None:
        text = refusal(URL, compression=wrong)
        assert f"or None for none; got {type(wrong).__name__}" in text


def test_what_the_stored_form_stands_for() -> None:
    assert parameters_of(None) is None
    assert parameters_of("deflate") == Deflate()
    given = Deflate(level=9)
    assert parameters_of(given) is given
