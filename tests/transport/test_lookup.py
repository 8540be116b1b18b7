"""Look-ups on threads that can be left behind: shared while young, few at a time."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading

import pytest

from tieline.transport import lookup as lookup_module
from tieline.transport.lookup import AddressInfo, look_up

ENTRY = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 0))


@pytest.fixture
def resolver(monkeypatch):
    """A getaddrinfo() that answers when `over` is set, and notes what it was asked."""

    class Resolver:
        asked = []
        over = threading.Event()
        answer = staticmethod(lambda: [ENTRY])

        @classmethod
        def getaddrinfo(cls, host, port, family=0, type=0, proto=0, flags=0):
            cls.asked.append((host, family))
            cls.over.wait(10)
            return cls.answer()

    monkeypatch.setattr(socket, "getaddrinfo", Resolver.getaddrinfo)
    yield Resolver
    Resolver.over.set()


def done(*lookups):
    """Wait for them."""
    for lookup in lookups:
        told = threading.Event()
        lookup.waiting[told.set] = None
        assert lookup.is_done or told.wait(10)
    for thread in threading.enumerate():
        if thread.name.startswith("tieline-resolve-"):
            thread.join(10)


def test_addresses_and_a_call(resolver):
    told = threading.Event()
    lookup = look_up("a.example", 0, told.set)
    assert not lookup.is_done and not told.is_set()
    resolver.over.set()
    assert told.wait(10)
    assert lookup.is_done and lookup.error is None
    assert lookup.addresses == [AddressInfo(socket.AF_INET, ("10.0.0.1", 0))]


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("label")])
def test_an_error(resolver, error):
    def fail():
        raise error

    resolver.answer = fail
    resolver.over.set()
    lookup = look_up("a.example", 0, lambda: None)
    done(lookup)
    assert lookup.error is error and lookup.addresses == []


def test_two_share_one(resolver):
    told = [threading.Event(), threading.Event()]
    first, second = (look_up("a.example", 0, event.set) for event in told)
    assert first is second
    for other in (("b.example", 0), ("a.example", 2)):
        assert look_up(*other, lambda: None) is not first
    resolver.over.set()
    assert all(event.wait(10) for event in told)
    assert sorted(resolver.asked) == [("a.example", 0), ("a.example", 2), ("b.example", 0)]


def test_nothing_is_remembered(resolver):
    resolver.over.set()
    first = look_up("a.example", 0, lambda: None)
    done(first)
    second = look_up("a.example", 0, lambda: None)
    assert first is not second
    done(second)
    assert lookup_module._running == {}


def test_a_stuck_one_is_joined_only_when_there_are_too_many(resolver, monkeypatch):
    monkeypatch.setattr(lookup_module, "FRESH", 0.0)
    lookups = [look_up("a.example", 0, lambda: None) for _ in range(10)]
    assert len(set(map(id, lookups))) == lookup_module.MOST_AT_ONCE
    # The youngest is the one with the best chances.
    assert lookups[-1] is lookups[lookup_module.MOST_AT_ONCE - 1]
    resolver.over.set()
    done(*lookups)
    assert lookup_module._running == {}


def test_who_has_left_is_not_called(resolver):
    told = []
    lookup = look_up("a.example", 0, lambda: told.append(1))
    (wake,) = lookup.waiting
    lookup.leave(wake)
    lookup.leave(wake)
    resolver.over.set()
    done(lookup)
    assert told == []


def test_no_thread_to_be_had(resolver, monkeypatch):
    def start(self):
        # Somebody joins before it turns out that there is no thread.
        joined.append(look_up("a.example", 0, told.set))
        raise RuntimeError("can't start new thread")

    joined, told = [], threading.Event()
    monkeypatch.setattr(threading.Thread, "start", start)
    lookup = look_up("a.example", 0, lambda: None)
    assert joined == [lookup]
    assert lookup.is_done and told.is_set()
    assert "can't start new thread" in str(lookup.error)
    assert lookup_module._running == {}


@pytest.mark.parametrize("has_begun", [False, True])
def test_ctrl_c_while_a_thread_starts(resolver, monkeypatch, has_begun):
    real = threading.Thread.start

    def start(self):
        if has_begun:
            real(self)
        raise KeyboardInterrupt

    resolver.over.set()
    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(KeyboardInterrupt):
        look_up("a.example", 0, lambda: None)
    monkeypatch.undo()
    assert lookup_module._running == {}


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX") or sys.platform == "win32", reason="no fork")
def test_a_forked_child_asks_anew():
    script = """
import os, socket, threading
from tieline.transport import lookup
over = threading.Event()
socket.getaddrinfo = lambda *_: over.wait(10) and []
told = threading.Event()
lookup.look_up("a.example", 0, told.set)
child = os.fork()
if not child:
    over = threading.Event()
    over.set()
    mine = threading.Event()
    lookup.look_up("a.example", 0, mine.set)
    os._exit(0 if mine.wait(10) and not told.is_set() else 1)
over.set()
assert told.wait(10)
assert os.waitpid(child, 0)[1] == 0
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], timeout=30)
    assert done.returncode == 0
