"""A reactor on a loop: calls, timers, and how everything ends with the loop, however that ends."""

from __future__ import annotations

import asyncio
import gc
import select
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tieline.aio.loop_reactor import LoopReactor, running_loop_reactor
from tieline.testing import EchoServer, ScriptedServer
from tieline.transport.stream import SocketStream

PATIENCE = 20.0

#: Seconds in which a program starts and ends on a busy machine; `close_timeout` is 10.
LIMIT = 8.0


def in_another_thread(function: Callable[[], Any]) -> Any:
    outcome: list[Any] = []
    thread = threading.Thread(target=lambda: outcome.append(function()))
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    return outcome[0]


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


# One per loop


def test_every_loop_has_one(new_loop: Any) -> None:
    async def get() -> LoopReactor:
        assert running_loop_reactor() is running_loop_reactor()
        return running_loop_reactor()

    with asyncio.Runner(loop_factory=new_loop) as one, asyncio.Runner(loop_factory=new_loop) as two:
        first = one.run(get())
        assert one.run(get()) is first
        assert two.run(get()) is not first
        assert "0 connections" in repr(first)


def test_without_a_loop_there_is_none() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        running_loop_reactor()


def test_neither_keeps_the_other(new_loop: Any, served: Any) -> None:
    async def main() -> tuple[Any, Any]:
        reader, _ = await served()
        reader.end()
        await turns()
        return weakref.ref(asyncio.get_running_loop()), weakref.ref(reader.reactor)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        loop, reactor = runner.run(main())
        gc.collect()
        assert reactor() is None
    del runner
    gc.collect()
    assert loop() is None


def test_what_the_loop_cannot_read_is_refused(run: Any, reader_of: Any) -> None:
    class OfAnotherKind:
        def fileno(self) -> int:
            return -1

    async def main() -> None:
        reader = reader_of(OfAnotherKind(), running_loop_reactor())
        with pytest.raises(TypeError, match="OfAnotherKind"):
            reader.start()
        assert running_loop_reactor().registrants() == []

    run(main())


# Calls


def test_registering_comes_first(run: Any, served: Any) -> None:
    async def main() -> None:
        reader, far = await served()
        await far.send(b"early")
        assert reader.told == [] or reader.told[0] == "registered"
        reader.reactor.call_soon(reader, lambda: reader.tell("called"))
        await reader.until(lambda: reader.received and "called" in reader.told)
        assert reader.told[0] == "registered"
        assert reader.reactor.registrants() == [reader]
        reader.end()
        assert reader.reactor.registrants() == []

    run(main())


def test_calls_run_on_the_loop_in_order(run: Any, served: Any) -> None:
    async def main() -> None:
        reader, _ = await served()
        reactor = reader.reactor
        ran: list[Any] = []
        assert reactor.in_thread()
        assert not in_another_thread(reactor.in_thread)

        def ask(number: int) -> None:
            reactor.call_soon(reader, lambda: ran.append((number, reactor.in_thread())))

        def ask_for_all() -> None:
            for number in range(100):
                ask(number)

        in_another_thread(ask_for_all)
        ask(100)
        assert ran == []
        reactor.call_soon(reader, lambda: reader.tell("last"))
        await reader.until(lambda: "last" in reader.told)
        assert ran == [(number, True) for number in range(101)]
        reader.end()

    run(main())


def test_who_is_not_served_is_not_called(run: Any, served: Any) -> None:
    async def main() -> None:
        reader, far = await served()
        reactor = reader.reactor
        await reader.until(lambda: "registered" in reader.told)
        await far.send(b"x")
        reactor.call_soon(reader, lambda: reader.tell("called"))
        reactor.call_at(reactor.now(), reader, lambda: reader.tell("timer"))
        reader.told.clear()
        reactor.unregister(reader)
        reactor.call_soon(reader, lambda: reader.tell("called"))
        await asyncio.sleep(0.01)
        assert reader.told == []
        reader.stream.close()

    run(main())


def test_what_calls_and_timers_raise_comes_back(run: Any, served: Any) -> None:
    async def main() -> None:
        reader, _ = await served()
        errors = [ValueError("call"), ValueError("timer")]

        def fail(error: Exception) -> None:
            raise error

        reader.reactor.call_soon(reader, lambda: fail(errors[0]))
        reader.reactor.call_at(reader.reactor.now(), reader, lambda: fail(errors[1]))
        await reader.until(lambda: all(error in reader.told for error in errors))
        reader.end()

    run(main())


# Timers


def test_timers_fire_once_and_never_early(run: Any, served: Any) -> None:
    async def main() -> None:
        reader, _ = await served()
        reactor = reader.reactor
        begun = reactor.now()
        fired: list[float] = []

        def set_one(when: float) -> None:
            def fire() -> None:
                assert reactor.now() >= when
                fired.append(when)
                reader.tell("fired")

            timer = reactor.call_at(when, reader, fire)
            assert timer.when == when

        times = [begun + number * 0.0007 for number in range(40)]
        for when in reversed(times):
            set_one(when)
        reactor.call_at(begun + 0.05, reader, lambda: reader.tell("last"))
        await reader.until(lambda: "last" in reader.told and len(fired) == len(times))
        assert sorted(fired) == times
        assert not [error for error in reader.told if isinstance(error, Exception)]
        reader.end()

    run(main())


def test_clocks_are_looked_at_for_who_has_a_timer(run: Any, served: Any) -> None:
    """Others ask nobody anything after a sleep, and cost their loop nothing."""

    async def main() -> None:
        reader, _ = await served()
        reactor = reader.reactor
        await turns()
        assert reactor._ticks._next is None
        for _ in range(2):
            reactor.call_at(reactor.now() + PATIENCE, reader, lambda: None).cancel()
        assert reactor._ticks._next is not None
        reader.end()
        assert reactor._ticks._next is None
        reactor.call_at(reactor.now(), reader, lambda: reader.tell("late"))
        assert reactor._ticks._next is None
        await turns()
        assert "late" not in reader.told

    run(main())


def test_cancelled_timers_do_not_fire(run: Any, served: Any) -> None:
    async def main() -> None:
        reader, _ = await served()
        reactor = reader.reactor
        timers = [
            reactor.call_at(reactor.now() + delay, reader, lambda: reader.tell("fired"))
            for delay in (-1, 0, 0.001, 0.01, 1000)
        ]
        for timer in timers:
            timer.cancel()
            timer.cancel()
        reactor.call_at(reactor.now() + 0.02, reader, lambda: reader.tell("last"))
        await reader.until(lambda: "last" in reader.told)
        assert "fired" not in reader.told
        reader.end()

    run(main())


@pytest.mark.parametrize("where", ["in a task", "in a read"])
def test_what_has_arrived_counts_before_a_deadline(
    run: Any, served: Any, take: Any, reader_of: Any, where: str
) -> None:
    """Something held up the loop, and meanwhile the answer came and its deadline passed."""

    async def main() -> None:
        reader, far = await served()
        near_other, far_other = socket.socketpair()
        other = reader_of(await take(SocketStream(near_other), reader.reactor), reader.reactor)
        other.start()
        await other.until(lambda: "registered" in other.told)

        def hold_up(*_: Any) -> None:
            due = reader.reactor.now() + 0.001
            reader.reactor.call_at(due, reader, lambda: reader.tell("deadline"))
            far.socket.send(b"answer")
            while time.monotonic() < due + 0.003:
                pass
            assert select.select([reader.stream.fileno()], [], [], PATIENCE)[0]
            other.stream.receive_into(other.reactor.memory.view)

        other.on_readable = hold_up
        for _ in range(20):
            reader.told.clear()
            if where == "in a task":
                hold_up()
            else:
                far_other.send(b"x")
            await reader.until(lambda: "deadline" in reader.told)
            assert reader.told == ["readable", "deadline"]
        far_other.close()
        other.end()
        reader.end()

    run(main())


# The end of the loop


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedServer]]:
    """scripted(*scripts): a server that is closed, and judged, at the test's end."""
    servers: list[ScriptedServer] = []

    def start(*scripts: Any, **options: Any) -> ScriptedServer:
        servers.append(ScriptedServer(*scripts, **({"timeout": PATIENCE} | options)))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def says_goodbye(peer: Any) -> None:
    peer.accept_upgrade()
    peer.expect_close(1001)
    peer.send_close(1001)


def gets_goodbye_and_does_not_answer(peer: Any) -> None:
    peer.accept_upgrade()
    peer.expect_close(1001)
    peer.expect_end()


def test_connections_left_open(program: Any, scripted: Any) -> None:
    server = scripted(says_goodbye, repeat=True)
    ended = program(
        """
        async def main():
            global kept
            kept = [await open_session(sys.argv[1], lambda info: print(info.code, info.clean))
                    for _ in range(3)]
            assert all(session.is_open for session in kept)
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(main())
        assert all(session.finished.is_set() for session in kept)
        """,
        server.url,
    )
    assert (ended.status, ended.errors, ended.output) == (0, "", "1001 True\n" * 3)
    server.wait()


def test_a_peer_that_does_not_answer_does_not_hold_up_the_end(program: Any, scripted: Any) -> None:
    server = scripted(gets_goodbye_and_does_not_answer)
    ended = program(
        """
        async def main():
            await open_session(sys.argv[1], lambda info: print("told", info.clean))
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(main())
        """,
        server.url,
    )
    assert (ended.status, ended.errors, ended.output) == (0, "", "told False\n")
    assert ended.seconds < LIMIT
    server.wait()


def test_a_peer_that_does_not_read_does_not_hold_up_the_end(program: Any, scripted: Any) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.hold()

    ended = program(
        """
        async def main():
            session = await open_session(sys.argv[1])
            try:
                while True: session.speaker.message(2, b"x" * 100_000)
            except Exception as error:
                print(type(error).__name__)
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(main())
        """,
        scripted(script, receive_buffer=10_000).url,
    )
    assert (ended.status, ended.errors, ended.output) == (0, "", "SendBufferFull\n")
    assert ended.seconds < LIMIT


def test_a_task_that_still_uses_it(program: Any, scripted: Any) -> None:
    server = scripted(says_goodbye)
    ended = program(
        """
        async def use(session):
            await asyncio.Event().wait()
        async def main():
            global kept
            kept = asyncio.create_task(use(await open_session(sys.argv[1])))
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(main())
        """,
        server.url,
    )
    assert (ended.status, ended.errors, ended.output) == (0, "", "")
    server.wait()


def test_a_loop_that_is_stopped_goes_on_later(program: Any, scripted: Any) -> None:
    server = scripted(says_goodbye)
    ended = program(
        """
        async def main():
            session = await open_session(sys.argv[1])
            asyncio.get_running_loop().stop()
            return session
        loop = new_loop()
        task = loop.create_task(main())
        loop.run_forever()
        session = loop.run_until_complete(task)
        print(session.is_open)
        loop.run_until_complete(loop.shutdown_asyncgens())
        print(session.is_open)
        loop.close()
        """,
        server.url,
    )
    assert (ended.status, ended.errors, ended.output) == (0, "", "True\nFalse\n")
    server.wait()


def test_a_loop_that_is_stopped_for_good(program: Any, scripted: Any) -> None:
    """The peer gets its Close all the same, and the handlers run, when the program ends."""
    server = scripted(gets_goodbye_and_does_not_answer)
    ended = program(
        """
        import atexit, warnings
        loop = new_loop()
        session = loop.run_until_complete(
            open_session(sys.argv[1], lambda info: print("told", info.clean)))
        # That the program closes neither the loop nor what is on it is rightly warned of.
        atexit.register(warnings.simplefilter, "ignore", ResourceWarning)
        """,
        server.url,
    )
    assert (ended.status, ended.output) == (0, "told False\n")
    assert ended.seconds < LIMIT
    server.wait()


@pytest.mark.parametrize("calls", ["session.close(1000, '')", "session.drop()"])
def test_a_loop_that_is_closed_without_a_word(program: Any, scripted: Any, calls: str) -> None:
    """The next call ends what it served: nobody waits for ever, and the handlers are told."""

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.expect_end()

    ended = program(
        f"""
        import gc, warnings
        def told(info): print("told", info.clean)
        loop = new_loop()
        session = loop.run_until_complete(open_session(sys.argv[1], told))
        # That the connection is not closed before the loop is rightly warned of.
        warnings.simplefilter("ignore", ResourceWarning)
        loop.close()
        {calls}
        print(session.finished.wait(15), session.is_open)
        del loop, session
        gc.collect()
        """,
        scripted(script, repeat=True).url,
    )
    assert (ended.status, ended.errors) == (0, "")
    assert sorted(ended.output.splitlines()) == ["True False", "told False"]


def test_threads_that_send_when_the_loop_is_closed(program: Any, scripted: Any) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.hold()

    ended = program(
        """
        import threading, time, warnings
        loop = new_loop()
        session = loop.run_until_complete(open_session(sys.argv[1]))
        errors = []
        def work():
            try:
                while True: session.speaker.message(2, b"x" * 50_000)
            except Exception as error:
                errors.append(type(error).__name__)
        threads = [threading.Thread(target=work) for _ in range(4)]
        warnings.simplefilter("ignore", ResourceWarning)
        loop.close()
        began = time.monotonic()
        for thread in threads: thread.start()
        for thread in threads: thread.join(15)
        print(*errors, time.monotonic() - began < 12)
        """,
        scripted(script).url,
    )
    assert (ended.status, ended.output) == (0, "ConnectionClosed " * 4 + "True\n")


def test_last_words_on_a_closed_loop_that_the_kernel_does_not_take(
    program: Any, scripted: Any
) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.hold()

    ended = program(
        """
        import warnings
        loop = new_loop()
        session = loop.run_until_complete(open_session(sys.argv[1]))
        session.connection.outgoing.message(2, b"x" * 50_000_000)
        warnings.simplefilter("ignore", ResourceWarning)
        loop.close()
        session.close(1000, "")
        print(session.finished.wait(15))
        """,
        scripted(script).url,
    )
    assert (ended.status, ended.errors, ended.output) == (0, "", "True\n")


def test_a_loop_in_a_daemon_thread_when_the_program_ends(program: Any, scripted: Any) -> None:
    server = scripted(says_goodbye)
    ended = program(
        """
        import threading
        ready = threading.Event()
        async def main():
            global session
            session = await open_session(sys.argv[1], lambda info: print("told", info.clean))
            ready.set()
            await asyncio.Event().wait()
        def work():
            with asyncio.Runner(loop_factory=new_loop) as runner:
                runner.run(main())
        threading.Thread(target=work, daemon=True).start()
        ready.wait()
        """,
        server.url,
    )
    assert (ended.status, ended.output) == (0, "told True\n")
    assert ended.seconds < LIMIT
    server.wait()


def test_fork(program: Any) -> None:
    """The parent's connection goes on; the child's is closed without a byte on the line."""
    with EchoServer() as server:
        ended = program(
            """
            import os, warnings
            async def main():
                answer = asyncio.get_running_loop().create_future()
                session = await open_session(sys.argv[1], on_message=answer.set_result)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)
                    pid = os.fork()
                if pid == 0:
                    status = 1
                    try:
                        try:
                            session.speaker.message(1, b"from the child")
                        except Exception as error:
                            assert "fork" in str(error), error
                            assert session.finished.is_set() and not session.is_open
                            status = 0
                    finally:
                        os._exit(status)
                assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
                session.speaker.message(1, b"from the parent")
                print(await answer)
                session.close(1000, "")
            with asyncio.Runner(loop_factory=new_loop) as runner:
                runner.run(main())
            """,
            server.url,
            measured=False,
        )
    assert (ended.status, ended.errors, ended.output) == (0, "", "from the parent\n")
