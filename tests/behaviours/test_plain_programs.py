"""Whole programs with plain connections → Ctrl-C, signals, exit and fork leave nobody hanging."""

from __future__ import annotations

import gc
import os
import threading
import time
import traceback
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import tieline

pytestmark = pytest.mark.slow

SOON = 20.0

#: Seconds that a program may take to end, Python's own end included, on a busy machine; what it
#: must not wait for (`close_timeout`, a peer that is silent) takes 10 s and more.
AT_ONCE = 8.0

Plain = Callable[..., tieline.Connection]


def output_of(running: Any, press: bool = True) -> str:
    """What the program prints after 'ready', where Ctrl-C is pressed."""
    running.wait_until_ready()
    if press:
        running.press_ctrl_c()
    seconds, status, output = running.finish()
    assert seconds < AT_ONCE
    assert (status, running.errors) == (0, ""), output
    return str(output)


def test_ctrl_c_in_a_recv_leaves_the_connection_usable(program: Any, echo: Any) -> None:
    source = """
    import sys, threading, tieline
    with tieline.connect(sys.argv[1], proxy=None) as ws:
        try:
            threading.Timer(0.1, print, ["ready"], {"flush": True}).start()
            ws.recv()
        except KeyboardInterrupt:
            print("interrupted")
        ws.send("still here")
        print(ws.recv(15))
    print(ws.close_info.clean)
    """
    running = program(source, echo.url, measured=False)
    assert output_of(running) == "interrupted\nstill here\nTrue\n"


@pytest.mark.parametrize("receive", ["ws.recv()", "for message in ws: pass"])
def test_ctrl_c_in_a_flood(program: Any, echo: Any, receive: str) -> None:
    source = f"""
    import logging, sys, threading, time, tieline
    logging.disable()  # messages that nobody took are told of
    ws = tieline.connect(sys.argv[1], proxy=None)
    def flood():
        try:
            while True: ws.send("x" * 50)
        except tieline.ConnectionClosed: pass
    thread = threading.Thread(target=flood)
    ws.send("first"); ws.recv()
    thread.start()
    try:
        print("ready", flush=True)
        while True:
            {receive}
    except KeyboardInterrupt:
        started = time.monotonic()
        ws.close()
        assert time.monotonic() - started < 8
    thread.join()
    print("closed", ws.state)
    """
    running = program(source, echo.url, measured=False)
    assert output_of(running) == "closed State.CLOSED\n"


def test_ctrl_c_at_any_instruction(program: Any, echo: Any) -> None:
    """Interrupts at random moments: close() is bounded after each, and nobody waits."""
    source = """
    import faulthandler, random, signal, sys, tieline
    faulthandler.dump_traceback_later(18)  # what hangs is shown, before the program is killed
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    chance = random.Random(5)
    print("ready", flush=True)
    for _ in range(15):
        ws = tieline.connect(sys.argv[1], proxy=None)
        for _ in range(20):
            ws.send("a" * 100)
        ws.recv(15)  # what it waits with is made now, not under fire
        try:
            signal.setitimer(signal.ITIMER_REAL, 1e-5 + chance.random() * 0.002)
            for _ in range(2000):
                ws.recv(15)
                ws.send("a")
        except KeyboardInterrupt:
            pass
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        ws.close(timeout=1.0)
        assert ws._line.session.finished.wait(15)
        try:
            for _ in range(3000):
                ws.recv(15)
        except tieline.ConnectionClosed:
            pass
        else:
            raise AssertionError("still open")
        assert ws.close_info is not None
    print("done")
    """
    ending = program(source, echo.url, measured=False)
    ending.wait_until_ready()
    _, status, output = ending.finish()
    assert (status, output) == (0, "done\n")


def test_a_signal_handler_on_top_of_recv(program: Any, echo: Any) -> None:
    """It may send and close; waiting for what only the interrupted call could read is refused."""
    source = """
    import signal, sys, threading, time, tieline
    ws = tieline.connect(sys.argv[1], proxy=None)
    def stop(*_):
        ws.send("from the handler")
        for wait in (ws.recv, lambda: ws.recv(1), lambda: ws.ping().wait(1)):
            try: wait()
            except RuntimeError as error: assert "in a handler" in str(error), error
        other = tieline.connect(sys.argv[1], proxy=None)
        other.send("other"); print(other.recv(15)); other.close()
        started = time.monotonic()
        ws.close()
        assert time.monotonic() - started < 8
    signal.signal(signal.SIGINT, stop)
    def watch():
        while ws._line.session.driver.is_free:
            time.sleep(0.01)
        print("ready", flush=True)
    threading.Thread(target=watch).start()
    print(list(ws))
    print(ws.close_info.clean, ws.state)
    """
    expected = "other\n['from the handler']\nTrue State.CLOSED\n"
    assert output_of(program(source, echo.url, measured=False)) == expected


ENDINGS = {
    "idle": "",
    "after a recv": "ws.send('a'); ws.recv()",
    "with messages that nobody takes": "\n".join(
        [
            "for number in range(50): ws.send(str(number))",
            "while ws.stats().queue_depth < 4: pass",
        ]
    ),
    "with a thread in recv": "threading.Thread(target=ws.recv, daemon=True).start()",
    "with many": "more = [tieline.connect(sys.argv[1], proxy=None) for _ in range(20)]",
}


@pytest.mark.parametrize("case", ENDINGS)
def test_a_program_that_ends_with_open_connections(program: Any, echo: Any, case: str) -> None:
    source = "\n".join(
        [
            "import sys, threading, tieline",
            "threading.excepthook = lambda args: None",
            "ws = tieline.connect(sys.argv[1], proxy=None, max_queue=4)",
            ENDINGS[case],
            'print("ready", flush=True)',
        ]
    )
    assert output_of(program(source, echo.url), press=False) == ""


def test_the_peer_gets_its_close_when_the_program_ends(program: Any, scripted: Any) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_close(1001)
        peer.send_close(1001)

    server = scripted(script)
    source = """
    import sys, tieline
    ws = tieline.connect(sys.argv[1], proxy=None)
    print("ready", flush=True)
    """
    assert output_of(program(source, server.url), press=False) == ""
    server.wait()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() here")
@pytest.mark.parametrize("before", ["driven", "adopted", "a thread drives"])
def test_fork(echo_place: Any, plain: Plain, in_thread: Any, before: str) -> None:
    """The parent's connection goes on; the child's has ended, and it can open others."""
    ws = plain(echo_place)
    ws.send("kept")
    assert ws.ping().wait(SOON) < SOON
    if before == "driven":
        assert ws.recv() == "kept"
        ws.send("kept")
        ws.ping().wait(SOON)
    elif before == "a thread drives":
        assert ws.recv() == "kept"
        result = in_thread(lambda: ws.recv(SOON))
        session = ws._line.session
        assert session is not None and session.driver is not None
        while session.driver.is_free:
            pass

    def child() -> None:
        assert ws.state is tieline.State.CLOSED
        if before != "a thread drives":
            assert ws.recv() == "kept"
        for call in (ws.recv, lambda: ws.recv(0), lambda: ws.send("a")):
            try:
                call()
            except tieline.ConnectionClosed as error:
                assert "fork" in str(error)
            else:
                raise AssertionError("the parent's line was used")
        ws.close()
        with tieline.connect(echo_place.url, **echo_place.options) as other:
            other.send("child")
            assert other.recv(SOON) == "child"

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            child()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    guard = threading.Timer(2 * SOON, os.kill, (pid, 9))
    guard.start()
    try:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    finally:
        guard.cancel()
        guard.join()
    if before == "a thread drives":
        ws.send("kept")
        assert result() == "kept"
    else:
        assert ws.recv() == "kept"
    ws.send("parent")
    assert ws.recv(SOON) == "parent"


def test_a_connection_that_nobody_holds(scripted: Any) -> None:
    """It was not closed, which is told; the peer gets a Close, and everything is freed."""

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_close(1001)

    server = scripted(script)
    ws = tieline.connect(server.url, proxy=None)
    with pytest.warns(ResourceWarning, match="was not closed"):
        del ws
        gc.collect()
    server.wait()


def test_a_closed_connection_that_nobody_holds(echo: Any) -> None:
    with tieline.connect(echo.url, proxy=None) as ws:
        ws.send("a")
        assert ws.recv() == "a"
    reference = weakref.ref(ws._line)
    del ws
    deadline = time.monotonic() + SOON
    while reference() is not None:  # the background thread may be on its way out
        gc.collect()
        assert time.monotonic() < deadline


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_rounds_leave_nothing(echo: Any) -> None:
    """A connection keeps the background thread, so that its coming and going is not counted."""
    with tieline.connect(echo.url, proxy=None) as keeper:
        keeper.send("a")
        assert keeper.recv() == "a"
        assert keeper.ping().wait(SOON) < SOON
        opened, threads = descriptors(), threading.active_count()
        for number in range(200):
            with tieline.connect(echo.url, proxy=None) as ws:
                ws.send("a")
                if number % 2:
                    assert ws.recv() == "a"
        assert threading.active_count() == threads
        deadline = time.monotonic() + SOON
        while descriptors() > opened:  # the server closes its ends a moment later
            assert time.monotonic() < deadline, f"{descriptors()} descriptors, not {opened}"


def test_many_idle_connections_share_one_thread(echo: Any) -> None:
    """Each costs its socket, is looked after, and is there when it is asked."""
    count = 250  # half of the descriptors are the server's
    threads, opened = threading.active_count(), descriptors()
    closed = threading.Semaphore(0)
    made = [
        tieline.connect(echo.url, proxy=None, on_close=lambda info: closed.release())
        for _ in range(count)
    ]
    try:
        for number, ws in enumerate(made):
            ws.send(str(number))
            assert ws.recv(SOON) == str(number)
        assert threading.active_count() == threads + 1
        waiters = [ws.ping() for ws in made]
        for waiter in waiters:
            assert waiter.wait(SOON) < SOON
        # The thread's own three, and both ends of each connection.
        assert descriptors() - opened <= 2 * count + 3
        echo.close_connections(1001)
        for _ in range(count):
            assert closed.acquire(timeout=SOON)
        assert all(list(ws) == [] for ws in made)
    finally:
        for ws in made:
            ws.close(timeout=0)
