"""Handlers that get streams → they take their time, and what they do not read holds up nobody."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import tieline
from tieline import Opcode
from tieline.testing import Recorder, ScriptedPeer
from tieline.testing.frames import frame_bytes

SOON = 20.0
MIB = 1024 * 1024


def in_two_parts(peer: ScriptedPeer) -> None:
    peer.accept_upgrade()
    peer.send_raw(frame_bytes(Opcode.TEXT, "begun ", fin=False))
    peer.expect_text("rest")
    peer.send_raw(frame_bytes(Opcode.CONTINUATION, "done"))
    peer.send_text("next")
    peer.expect_close()


def half_a_message(peer: ScriptedPeer) -> None:
    peer.accept_upgrade()
    peer.send_raw(frame_bytes(Opcode.TEXT, "begun ", fin=False))
    peer.expect_close()
    peer.send_close(1000)


def long(peer: ScriptedPeer) -> None:
    peer.accept_upgrade()
    peer.send_raw(frame_bytes(Opcode.TEXT, "begun ", fin=False))
    for _ in range(8):
        peer.send_raw(frame_bytes(Opcode.CONTINUATION, "x" * MIB, fin=False))
    peer.send_raw(frame_bytes(Opcode.CONTINUATION, "done"))
    peer.send_text("next")
    peer.expect_close()


@pytest.mark.parametrize("with_executor", [False, True])
def test_where_and_in_which_order(
    scripted: Any, clients: Any, recorder: Recorder, with_executor: bool
) -> None:
    """All handlers are called on one thread after the other, never two at a time."""
    got: list[Any] = []
    done = threading.Event()

    def read(stream: tieline.MessageStream) -> None:
        for chunk in stream:
            got.append(chunk)
            if chunk == "begun ":
                client.send("rest")
            elif chunk == "next":
                done.set()

    recorder.react("message", read)
    with ThreadPoolExecutor(3) as pool:
        client = clients(
            recorder.callback,
            scripted(in_two_parts).url,
            streaming=True,
            executor=pool if with_executor else None,
            **recorder.handlers("open", "close"),
        )
        client.connect()
        assert done.wait(SOON)
        client.disconnect(1000)
    assert got == ["begun ", "done", "next"]
    assert [record.kind for record in recorder.take()] == [
        "open",
        "message",
        "message",
        "close",
        "end",
    ]
    names = {thread.name for thread in recorder.threads}
    assert names == {"tieline-handlers"} or with_executor
    assert recorder.overlaps == []


def test_pings_are_answered_while_a_handler_waits(scripted: Any, clients: Any) -> None:
    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.send_raw(frame_bytes(Opcode.TEXT, "begun ", fin=False))
        for _ in range(3):
            peer.send_frame(Opcode.PING, b"?")
            peer.expect_frame(Opcode.PONG, b"?")
        peer.send_raw(frame_bytes(Opcode.CONTINUATION, "done"))
        peer.expect_close()

    got: list[Any] = []
    done = threading.Event()

    def read(stream: tieline.MessageStream) -> None:
        got.append(stream.read())
        done.set()

    client = clients(scripted(script).url, on_message=read, streaming=True)
    client.connect()
    assert done.wait(SOON) and got == ["begun done"]
    client.disconnect()


@pytest.mark.parametrize("how", ["returns", "raises"])
def test_what_a_handler_does_not_read_is_thrown_away(scripted: Any, clients: Any, how: str) -> None:
    got: list[Any] = []
    kept: list[tieline.MessageStream] = []
    done = threading.Event()

    def read(stream: tieline.MessageStream) -> None:
        kept.append(stream)
        got.append(next(stream)[:6])
        if len(got) == 2:
            done.set()
        elif how == "raises":
            raise ValueError("of the user's")

    errors: list[Exception] = []
    client = clients(scripted(long).url, on_message=read, on_error=errors.append, streaming=True)
    client.connect()
    assert done.wait(SOON) and got == ["begun ", "next"]
    assert [type(error) for error in errors] == ([ValueError] if how == "raises" else [])
    client.disconnect()
    with pytest.raises(RuntimeError, match="has returned"):
        next(kept[0])


@pytest.mark.parametrize("who", ["another thread", "the handler", "reconnect"])
def test_ending_in_the_middle(scripted: Any, clients: Any, within: Any, who: str) -> None:
    """A handler that waits for the rest is told, and nobody waits for it in vain."""
    begun, outcome = threading.Event(), []

    def read(stream: tieline.MessageStream) -> None:
        outcome.append(next(stream))
        begun.set()
        if who == "the handler":
            client.disconnect(1000)
        try:
            next(stream)
        except tieline.ConnectionClosed as error:
            outcome.append(error)

    closes: list[tieline.CloseInfo] = []
    scripts = [half_a_message, half_a_message] if who == "reconnect" else [half_a_message]
    client = clients(
        scripted(*scripts).url, on_message=read, on_close=closes.append, streaming=True
    )
    client.connect()
    assert begun.wait(SOON)
    with within(SOON - 1):
        if who == "another thread":
            client.disconnect(1000)
        elif who == "reconnect":
            begun.clear()
            client.reconnect()
            assert begun.wait(SOON)
            client.disconnect(1000)
        client.wait(SOON)
    assert outcome[0] == "begun " and isinstance(outcome[1], tieline.ConnectionClosed)
    assert len(closes) == len(scripts) and outcome[1].close_info == closes[0]
    assert "tieline-handlers" not in [thread.name for thread in threading.enumerate()] or (
        who == "the handler"
    )


def test_a_handler_that_does_not_return(scripted: Any, clients: Any, within: Any) -> None:
    """`disconnect()` is bounded all the same; its thread is a daemon."""
    begun, go_on = threading.Event(), threading.Event()

    def read(stream: tieline.MessageStream) -> None:
        begun.set()
        go_on.wait(SOON)

    client = clients(
        scripted(half_a_message).url, on_message=read, streaming=True, close_timeout=0.1
    )
    client.connect()
    assert begun.wait(SOON)
    with within(SOON / 2):
        client.disconnect(timeout=0.1)
    assert not client.is_open()
    go_on.set()
    client.wait(SOON)


def test_an_executor_that_runs_them_at_once(scripted: Any, clients: Any) -> None:
    """It would wait for itself: that is an error, not a hang."""
    told: list[BaseException] = []
    done = threading.Event()

    def on_error(error: Exception) -> None:
        told.append(error)
        done.set()

    client = clients(
        scripted(half_a_message).url,
        on_message=lambda stream: stream.read(),
        on_error=on_error,
        streaming=True,
        executor=lambda function: function(),
    )
    client.connect()
    assert done.wait(SOON)
    client.disconnect(1000)
    assert "the executor runs handlers on it" in str(told[0])


def test_wait_for_is_refused(scripted: Any, clients: Any) -> None:
    client = clients(scripted(half_a_message).url, on_message=print, streaming=True)
    client.connect()
    with pytest.raises(tieline.OptionError, match="only once"):
        client.wait_for(lambda message: True)
    client.disconnect(1000)


STUCK_IN_A_STREAM = """
    import sys, threading, tieline

    begun = threading.Event()

    def read(stream):
        next(stream)
        begun.set()
        try:
            next(stream)
        except tieline.ConnectionClosed as error:
            print("told", flush=True)

    client = tieline.WebSocketClient(sys.argv[1], on_message=read, streaming=True, proxy=None)
    client.connect()
    assert begun.wait(15)
    print("ready", flush=True)
"""


def test_the_end_of_the_program(scripted: Any, program: Callable[..., Any]) -> None:
    running = program(STUCK_IN_A_STREAM, scripted(half_a_message).url)
    running.wait_until_ready()
    seconds, status, output = running.finish()
    assert status == 0 and output == "told\n" and seconds < SOON


def test_ctrl_c(scripted: Any, program: Callable[..., Any]) -> None:
    source = STUCK_IN_A_STREAM.replace("begun.set()", 'print("ready", flush=True)')
    source = source.partition("client.connect()")[0] + "client.run_forever()"
    running = program(source, scripted(half_a_message).url, measured=False)
    running.wait_until_ready()
    running.press_ctrl_c()
    seconds, status, output = running.finish()
    assert status == 0 and output == "told\n" and seconds < SOON


def test_fork(scripted: Any, program: Callable[..., Any]) -> None:
    """The child's handler, if it is one that forks, is told; the parent's goes on."""
    source = """
        import os, sys, threading, warnings, tieline

        warnings.simplefilter("ignore", DeprecationWarning)
        done = threading.Event()

        def read(stream):
            if next(stream) == "next":
                return
            child = os.fork()
            if child == 0:
                try:
                    next(stream)
                except tieline.ConnectionClosed:
                    os._exit(7)
                finally:
                    os._exit(1)
            print("child", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            client.send("rest")
            print(stream.read(), flush=True)
            done.set()

        client = tieline.WebSocketClient(sys.argv[1], on_message=read, streaming=True, proxy=None)
        client.connect()
        print("ready", flush=True)
        assert done.wait(15)
        client.disconnect()
    """
    running = program(source, scripted(in_two_parts).url, measured=False)
    running.wait_until_ready()
    _, status, output = running.finish()
    assert status == 0 and output.startswith("child 7\ndone\n"), output


def test_a_connection_that_does_not_come_about_leaves_no_thread() -> None:
    """Handlers were called for the events of its dial, on a thread of theirs."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        told: queue.SimpleQueue[Any] = queue.SimpleQueue()
        client = tieline.WebSocketClient(
            print, f"ws://127.0.0.1:{nobody.getsockname()[1]}", on_event=told.put, streaming=True
        )
        with pytest.raises(tieline.ConnectError):
            client.connect()
    assert told.get(timeout=20)
    for thread in threading.enumerate():
        if thread.name == "tieline-handlers":
            thread.join(20)
            assert not thread.is_alive()
