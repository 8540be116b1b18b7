"""Random bytes: few from the system, many from OpenSSL where the program has it anyway."""

from __future__ import annotations

import ssl
import sys
from types import ModuleType

import pytest

from tieline.engine.random_bytes import random_bytes

#: What the encoder of somebody who sends much asks for.
MANY = 4096


class Library(ModuleType):
    """What takes the place of `ssl`."""

    def __init__(self) -> None:
        super().__init__("ssl")
        self.asked: list[int] = []

    def give(self, size: int) -> bytes:
        self.asked.append(size)
        return b"7" * size


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    there = Library()
    monkeypatch.setitem(sys.modules, "ssl", there)
    return there


@pytest.mark.parametrize("size", [0, 4, 16, 32, 2048, MANY, 2 * MANY])
def test_as_many_as_are_asked_for_and_never_the_same(size: int) -> None:
    one, other = random_bytes(size), random_bytes(size)
    assert type(one) is bytes and len(one) == len(other) == size
    assert one != other or size == 0


def test_many_come_from_openssl_when_it_is_loaded(library: Library) -> None:
    library.__dict__["RAND_bytes"] = library.give
    assert random_bytes(MANY) == b"7" * MANY
    assert library.asked == [MANY]


def test_few_never_do(library: Library) -> None:
    library.__dict__["RAND_bytes"] = library.give
    assert random_bytes(MANY - 1) != b"7" * (MANY - 1)
    assert library.asked == []


def test_nothing_is_loaded_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ssl")
    assert len(random_bytes(MANY)) == MANY
    assert "ssl" not in sys.modules


def test_while_another_thread_is_loading_it(library: Library) -> None:
    assert not hasattr(library, "RAND_bytes")
    assert len(random_bytes(MANY)) == MANY


def test_what_it_relies_on() -> None:
    assert len(ssl.RAND_bytes(MANY)) == MANY
