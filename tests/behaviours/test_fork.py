"""fork() with an open connection → the parent's goes on, the child's is closed without a byte."""

from __future__ import annotations

import os
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import tieline
from tieline.testing import Recorder

SOON = 20.0

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() here")


def in_child(function: Callable[[], None]) -> None:
    """Run it in a child process, with threads in the parent, and fail when it fails."""
    with warnings.catch_warnings():
        # Python 3.12 and later warn of exactly what is tested here.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            function()
            status = 0
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(status)
    guard = threading.Timer(2 * SOON, os.kill, (pid, 9))
    guard.start()
    try:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    finally:
        guard.cancel()
        guard.join()


def test_the_parents_connection_goes_on(echo_place: Any, recorder: Recorder) -> None:
    client = echo_place.client(recorder.callback, **recorder.handlers("close", "error"))
    client.connect()
    waiter = client.ping()
    waiter.wait(SOON)

    def child() -> None:
        assert not client.is_open()
        assert client.state is tieline.State.CLOSED
        for call in (lambda: client.send("a"), lambda: client.ping()):
            try:
                call()
            except tieline.ConnectionClosed as error:
                assert "fork" in str(error)
            else:
                raise AssertionError("a message went out on the parent's line")
        client.disconnect()
        assert "forked" in str(client.wait(SOON).error)
        client.stats()

    in_child(child)
    assert client.is_open()
    assert client.wait_for(lambda message: True, SOON, send="still here") == "still here"
    client.disconnect()
    assert client.close_info.clean
    assert [one.kind for one in recorder.take()] == ["message", "close", "end"]


@pytest.mark.parametrize("shared", [False, True])
def test_the_child_opens_a_connection_of_its_own(echo: Any, clients: Any, shared: bool) -> None:
    options = {"reactor": tieline.Reactor()} if shared else {}
    client = clients(lambda message: None, echo.url, **options)
    client.connect()

    def child() -> None:
        client.connect()
        assert client.wait_for(lambda message: True, SOON, send="child") == "child"
        client.disconnect()
        assert client.close_info.clean

    in_child(child)
    assert client.wait_for(lambda message: True, SOON, send="parent") == "parent"


@pytest.mark.slow
def test_a_child_that_is_born_while_others_send(echo_place: Any) -> None:
    """Whatever the other threads were doing, the child is not stuck on a lock of theirs."""
    client = echo_place.client(lambda message: None, executor=lambda job: job())
    client.connect()
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            client.send("x" * 1000)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()

    def child() -> None:
        try:
            client.send("a")
        except tieline.ConnectionClosed:
            pass
        else:
            raise AssertionError("a message went out on the parent's line")
        client.disconnect()
        client.connect()
        client.ping().wait(SOON)
        client.disconnect()

    try:
        for _ in range(5):
            in_child(child)
    finally:
        stop.set()
        for thread in threads:
            thread.join(SOON)
    assert client.is_open()
    client.disconnect()


def test_in_a_handler(echo: Any, clients: Any) -> None:
    """The child's only thread is the one that was the parent's background thread."""
    outcome: list[Any] = []
    done = threading.Event()

    def handle(message: Any) -> None:
        if message == "fork":
            try:
                in_child(lambda: client.disconnect())
                outcome.append(client.is_open())
            finally:
                done.set()

    client = clients(handle, echo.url)
    client.connect()
    client.send("fork")
    assert done.wait(SOON)
    assert outcome == [True]
    assert client.wait_for(lambda message: True, SOON, send="a") == "a"


def expect_a_quiet_end(running: Any) -> None:
    """Of the child; the parent goes on."""
    running.wait_until_ready()
    _, status, output = running.finish()
    assert (status, running.errors) == (0, "")
    assert "child ended with 0" in output and "still here" in output


@pytest.mark.slow
def test_a_child_that_comes_back_from_the_handler(program: Any, echo: Any) -> None:
    """It finds no connection to go on with, and ends quietly."""
    source = """
    import os, sys, threading, tieline, warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    forked = threading.Event()
    def handle(message):
        if message == "fork":
            pid = os.fork()
            if pid:
                print("child ended with", os.waitpid(pid, 0)[1], flush=True)
                forked.set()
    client = tieline.WebSocketClient(handle, sys.argv[1], proxy=None)
    client.connect()
    print("ready", flush=True)  # before: the handler prints as well
    client.send("fork")
    assert forked.wait(15)
    print(client.wait_for(lambda message: True, 15, send="still here"))
    client.disconnect()
    """
    expect_a_quiet_end(program(source, echo.url, measured=False))


@pytest.mark.slow
def test_a_child_that_comes_back_from_a_handler_of_an_outage(program: Any, echo: Any) -> None:
    """It does not reconnect, and ends quietly: the outage is the parent's."""
    source = """
    import os, sys, threading, tieline, warnings
    from tieline.testing import FaultProxy, faults
    warnings.simplefilter("ignore", DeprecationWarning)
    forked = threading.Event()
    def on_reconnecting(attempt):
        pid = os.fork()
        if pid:
            print("child ended with", os.waitpid(pid, 0)[1], flush=True)
            forked.set()
    with FaultProxy(sys.argv[1]) as lines:
        client = tieline.WebSocketClient(
            lambda message: None, lines.url, on_reconnecting=on_reconnecting, proxy=None,
            reconnect=tieline.Reconnect(initial=0.001),
        )
        client.connect()
        print("ready", flush=True)
        lines.strike(faults.reset())
        assert forked.wait(15)
        client.reconnect()
        print(client.wait_for(lambda message: True, 15, send="still here"))
        client.disconnect()
    """
    expect_a_quiet_end(program(source, echo.url, measured=False))


def test_in_the_child_of_a_program_that_has_just_connected(echo_place: Any) -> None:
    """The thread in the background may not even have looked at the connection."""
    for _ in range(5):
        with tieline.connect(echo_place.url, **echo_place.options) as connection:

            def child(connection: tieline.Connection = connection) -> None:
                connection.close()
                assert connection.state is tieline.State.CLOSED
                assert "forked" in str(connection.close_info.error)

            in_child(child)
            connection.send("still here")
            assert connection.recv(SOON) == "still here"
