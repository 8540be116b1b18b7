"""The Reactor that programs make: an object of Python's, also where the engine is compiled."""

from __future__ import annotations

import copy
import inspect
import math
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import tieline
from tieline.engine.reactor import Reactor, all_reactors
from tieline.testing import EchoServer


def test_its_signature_and_its_text_are_for_readers() -> None:
    parameters = inspect.signature(tieline.Reactor).parameters
    assert list(parameters) == ["name", "linger"]
    assert parameters["name"].default is None and parameters["linger"].default == 0.0
    assert parameters["linger"].kind is inspect.Parameter.KEYWORD_ONLY
    assert "needs no closing" in (inspect.getdoc(tieline.Reactor) or "")


def test_so_are_those_of_its_methods() -> None:
    """Whoever derives from it looks at them; and what is no reactor is refused."""
    for name in ("join", "watch", "register", "unregister", "call_soon", "call_at"):
        method = getattr(tieline.Reactor, name)
        assert list(inspect.signature(method).parameters)[0] == "self", name
    serves = inspect.signature(tieline.Reactor.join).parameters["serves"]
    assert serves.default is False and serves.kind is inspect.Parameter.KEYWORD_ONLY
    with pytest.raises((TypeError, AttributeError)):
        tieline.Reactor.join(1, 0.1)  # type: ignore[arg-type]


def test_it_is_a_reactor_of_the_engine() -> None:
    reactor = tieline.Reactor("mine", linger=0.5)
    assert isinstance(reactor, Reactor) and reactor in all_reactors
    assert reactor.name == "mine" and reactor.linger == 0.5
    assert weakref.ref(reactor)() is reactor
    assert "'mine' idle" in repr(reactor)


class Counting(tieline.Reactor):
    """Of a program that wants to know how many connections there were."""

    def __init__(self) -> None:
        super().__init__("counting")
        self.count = 0

    def register(self, registrant: Any, **how: bool) -> None:
        self.count += 1
        super().register(registrant, **how)


def test_a_program_may_derive_from_it_and_keep_attributes_on_it() -> None:
    reactor = Counting()
    with EchoServer() as server:
        for _ in range(2):
            with tieline.connect(server.url, reactor=reactor) as connection:
                connection.send("a")
                assert connection.recv(20.0) == "a"
    assert reactor.count == 2
    assert reactor.join(20.0)


class Forgetful(tieline.Reactor):
    """Of a program that does not know that there is an `__init__` to be called."""

    def __init__(self, count: int, *, label: str = "") -> None:
        self.count, self.label = count, label


def test_a_class_that_forgets_the_init_of_its_base() -> None:
    """The compiled engine crashed."""
    reactor = Forgetful(3, label="x")
    assert list(inspect.signature(Forgetful).parameters) == ["count", "label"]
    assert reactor.next_deadline() == reactor.wanted_at() == math.inf
    reactor.look_at_clocks()
    assert not reactor.in_thread() and reactor.linger == 0.0
    with EchoServer() as server, tieline.connect(server.url, reactor=reactor) as connection:
        connection.send("a")
        assert connection.recv(20.0) == "a"
    assert reactor.join(20.0)


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, pickle.dumps])
def test_there_is_no_copy_without_the_thread(twin: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match="cannot be copied or pickled; hand the same one"):
        twin(tieline.Reactor())


class Named(tieline.Reactor):
    def __reduce__(self) -> tuple[Any, ...]:
        return str, (self.name,)


def test_a_users_class_may_say_how_it_is_made_anew() -> None:
    reactor = Named("mine")
    assert pickle.loads(pickle.dumps(reactor)) == copy.copy(reactor) == "mine"
