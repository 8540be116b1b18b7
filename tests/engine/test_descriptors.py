"""Descriptors: what is ready, by each way to ask."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from tieline.engine.descriptors import READ, WRITE, Descriptors, Few, Many, Portable, few, many

#: Of how many to tell at once: more than there are.
LARGEST = 10

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ends = socket.socketpair()
    for end in ends:
        end.setblocking(False)
    yield ends
    for end in ends:
        end.close()


def ways() -> list[Callable[[], Descriptors]]:
    found: list[Callable[[], Descriptors]] = [Portable]
    if hasattr(select, "poll"):
        found.append(Few)
    if hasattr(select, "epoll"):
        found.append(Many)
    return found


@pytest.fixture(params=ways())
def waited_for(request: pytest.FixtureRequest) -> Iterator[Descriptors]:
    made: Descriptors = request.param()
    yield made
    made.close()


def test_each_is_told_of_as_long_as_it_is_ready(waited_for: Descriptors, pair: Pair) -> None:
    near, far = pair
    waited_for.watch(near.fileno(), 0, READ)
    assert waited_for.wait(0, LARGEST) == []
    far.send(b"x")
    for _ in range(2):
        assert waited_for.wait(5, LARGEST) == [(near.fileno(), READ)]
    near.recv(10)
    assert waited_for.wait(0, LARGEST) == []


def test_what_is_waited_for_changes(waited_for: Descriptors, pair: Pair) -> None:
    near, far = pair
    far.send(b"x")
    waited_for.watch(near.fileno(), 0, WRITE)
    assert waited_for.wait(1, LARGEST) == [(near.fileno(), WRITE)]
    waited_for.watch(near.fileno(), WRITE, READ | WRITE)
    assert waited_for.wait(1, LARGEST) == [(near.fileno(), READ | WRITE)]
    waited_for.watch(near.fileno(), READ | WRITE, READ)
    assert waited_for.wait(1, LARGEST) == [(near.fileno(), READ)]
    waited_for.watch(near.fileno(), READ, 0)
    assert waited_for.wait(0, LARGEST) == []
    waited_for.watch(near.fileno(), 0, 0)
    waited_for.watch(near.fileno(), 0, READ)
    assert waited_for.wait(1, LARGEST) == [(near.fileno(), READ)]


@pytest.mark.parametrize("events", [READ, WRITE, READ | WRITE])
def test_what_has_failed_is_ready_for_anything(
    waited_for: Descriptors, pair: Pair, events: int
) -> None:
    """By whatever bits: those that are not asked for tell of it, too."""
    near, far = pair
    waited_for.watch(near.fileno(), 0, events)
    far.close()
    [(descriptor, told)] = waited_for.wait(1, LARGEST)
    assert descriptor == near.fileno()
    if events & READ:
        assert told & ~WRITE
    if events & WRITE:
        assert told & ~READ


def test_it_waits_no_longer_than_it_is_told(waited_for: Descriptors, pair: Pair) -> None:
    waited_for.watch(pair[0].fileno(), 0, READ)
    begun = time.monotonic()
    assert waited_for.wait(0.02, LARGEST) == []
    assert time.monotonic() - begun >= 0.0199


def test_many_forget_what_is_closed() -> None:
    """As the kernel does; a descriptor is closed by whoever gave it."""
    if not hasattr(select, "epoll"):
        pytest.skip("epoll is Linux'")
    waited_for = Many()
    near, far = socket.socketpair()
    waited_for.watch(near.fileno(), 0, READ)
    descriptor = near.fileno()
    near.close()
    waited_for.watch(descriptor, READ, 0)
    waited_for.close()
    far.close()


def test_a_number_that_was_closed_elsewhere_and_given_away(waited_for: Descriptors) -> None:
    """Whoever has it now is waited for; nobody has said that the one before is not any more."""
    near, far = socket.socketpair()
    waited_for.watch(near.fileno(), 0, READ)
    descriptor = near.fileno()
    other, other_far = socket.socketpair()
    os.dup2(other.fileno(), descriptor)  # which closes what had it
    waited_for.watch(descriptor, 0, READ)
    other_far.send(b"x")
    assert waited_for.wait(5, LARGEST) == [(descriptor, READ)]
    waited_for.watch(descriptor, READ, 0)
    assert waited_for.wait(0, LARGEST) == []
    for end in (near, far, other, other_far):
        end.close()


def test_which_there_are() -> None:
    assert few is (Few if hasattr(select, "poll") else Portable)
    assert many is (Many if hasattr(select, "epoll") else Portable)
