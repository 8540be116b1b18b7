"""Liveness: the peer is judged by all that it did, and by nothing that this side did."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tieline.protocol.events import PingReceived
from tieline.protocol.keepalive import MAX_EXCUSES, Condition
from tieline.protocol.wire import Opcode
from tieline.testing import Recorder

Lines = Callable[..., Any]
SOON = 10.0


@pytest.fixture
def watched(line_of: Lines) -> Any:
    return line_of(ping_interval=20, ping_timeout=5)


def error_of(line: Any) -> str:
    assert line.session.has_ended
    error = line.session.connection.close_info.error
    assert isinstance(error, TimeoutError)
    return str(error)


def condition(line: Any) -> Condition:
    return line.session.connection.keepalive.condition


# --- signs of life ---------------------------------------------------------------------------


def test_a_dead_peer_is_noticed_in_time(watched: Any) -> None:
    watched.reactor.advance(24.999)
    assert watched.session.is_open
    watched.reactor.advance(0.001)
    assert error_of(watched) == (
        "the peer sent nothing for 25.0 s and did not answer a Ping within ping_timeout=5 s; "
        "this program was on time"
    )


def test_one_byte_of_a_frame_is_a_sign_of_life(watched: Any) -> None:
    watched.reactor.advance(20)
    watched.server.outgoing.message(Opcode.BINARY, bytes(1000))
    watched.far.write(b"".join(watched.server.data_to_send())[:1])
    watched.reactor.advance(15)
    assert watched.session.is_open
    watched.reactor.advance(15)
    assert watched.session.has_ended


def test_half_a_tls_record_is_a_sign_of_life(watched: Any) -> None:
    """There is nothing to receive of it yet."""
    watched.reactor.advance(20)
    watched.near.hidden_input = 1
    watched.reactor.advance(15)
    assert watched.session.is_open
    watched.reactor.advance(15)
    assert watched.session.has_ended


def test_output_that_goes_out_below_is_a_sign_of_life(watched: Any) -> None:
    """A loop's transport writes by itself and tells nobody before all is written."""
    watched.near.pending_size = 1000
    watched.reactor.advance(20)
    watched.near.pending_size = 999
    watched.reactor.advance(15)
    assert watched.session.is_open
    watched.reactor.advance(15)
    assert watched.session.has_ended


def test_what_goes_into_the_kernel_of_this_machine_is_none(line_of: Lines) -> None:
    """The peer has died, and its buffers here still have room."""
    line = line_of(ping_interval=20, ping_timeout=5, compression=None, capacity=1000)
    line.reactor.advance(20)
    line.session.speaker.message(Opcode.BINARY, bytes(100_000))
    line.reactor.advance(5)
    assert "nor did it take any of 99" in error_of(line)


def test_what_comes_in_the_last_moment_counts(watched: Any) -> None:
    """It is read before the judgement, also when the reactor has not seen it yet."""
    watched.reactor.advance(20)
    watched.server_gets()  # and answers
    watched.reactor.watch(watched.session, readable=False, writable=False)
    watched.clock.advance(5)
    watched.far.write(b"\x8a\x00")
    watched.reactor.step()
    watched.run()
    assert watched.session.is_open


def test_where_nobody_can_read_silence_proves_nothing(line_of: Lines, recorder: Recorder) -> None:
    """A handler on another thread is slow, and the answer may have come behind what it got."""
    line = line_of(drivable=True, ping_interval=10, ping_timeout=10)
    inside, returned = threading.Event(), threading.Event()

    def slow(data: bytes) -> None:
        inside.set()
        assert returned.wait(SOON)

    recorder.react("ping", slow)
    line.server.outgoing.ping(b"", 0.0)
    line.flush_server()
    thread = threading.Thread(target=line.drive)
    thread.start()
    try:
        assert inside.wait(SOON)
        line.reactor.advance(100)
        assert line.session.is_open
    finally:
        returned.set()
        thread.join(SOON)
    line.reactor.advance(30)
    # The Ping of that moment: what was asked before is forgotten.
    assert "sent nothing for 110.0 s" in error_of(line)


# --- this side was late ----------------------------------------------------------------------


def test_a_thread_that_is_held_up_asks_again(watched: Any) -> None:
    watched.reactor.advance(20)
    watched.clock.advance(60)
    watched.run()
    assert watched.session.is_open and condition(watched) is Condition.ASKED_AGAIN
    assert [type(event) for event in watched.server_gets()] == [PingReceived, PingReceived]
    watched.run()
    watched.reactor.advance(5)
    assert watched.session.is_open and condition(watched) is Condition.TRUSTED


def test_a_dead_peer_of_a_program_that_is_always_late(watched: Any) -> None:
    watched.reactor.advance(20)
    for _ in range(MAX_EXCUSES):
        watched.clock.advance(60)
        watched.run()
        assert watched.session.is_open
    watched.clock.advance(60)
    watched.run()
    assert f"held up for {MAX_EXCUSES * 55.0:.1f} s" in error_of(watched)


# --- the machine was asleep ------------------------------------------------------------------


def test_a_sleep_asks_at_once(watched: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tieline")
    watched.reactor.advance(3)
    watched.reactor.suspend(3600)
    assert [type(event) for event in watched.server_gets()] == [PingReceived]
    assert any("asleep for 3600 s" in record.message for record in caplog.records)
    watched.reactor.advance(5)
    assert watched.session.is_open


def test_a_line_that_died_in_a_sleep_is_noticed_soon(watched: Any) -> None:
    """Within ping_timeout, not at the end of an interval that had just begun."""
    watched.reactor.advance(1)
    watched.reactor.suspend(3600)
    watched.reactor.advance(4.9)
    assert watched.session.is_open
    watched.reactor.advance(0.1)
    assert "the machine was asleep for 3600.0 s" in error_of(watched)


def test_a_sleep_in_the_middle_of_a_wait_is_not_waited(watched: Any) -> None:
    """The answer was lost in it, or could not come."""
    watched.reactor.advance(20)
    watched.far.read()
    watched.reactor.advance(4.9)
    watched.reactor.suspend(3600)
    watched.reactor.advance(4.9)
    assert watched.session.is_open
    watched.server_gets()
    watched.reactor.advance(5)
    assert watched.session.is_open


def test_a_sleep_that_the_judge_is_the_first_to_see(watched: Any) -> None:
    """Nobody has looked at the clocks since, and the timer is on time."""
    watched.reactor.advance(20)
    watched.far.read()
    watched.clock.suspend(3600)
    watched.reactor.advance(5)
    assert watched.session.is_open and condition(watched) is Condition.ASKED_AGAIN
    watched.server_gets()
    watched.reactor.advance(5)
    assert condition(watched) is Condition.TRUSTED


@pytest.mark.parametrize("seconds", [1e9, -1e9])
def test_a_wrong_clock_costs_a_ping(watched: Any, seconds: float) -> None:
    for _ in range(50):
        watched.reactor.suspend(seconds)
        assert len(watched.server_gets()) == 1
        watched.run()
    watched.reactor.advance(19)
    assert watched.session.is_open and condition(watched) is Condition.TRUSTED


def test_without_pings_nobody_looks_at_clocks(line_of: Lines) -> None:
    line = line_of(ping_interval=None)
    line.reactor.suspend(3600)
    assert line.server_gets() == []
    assert line.reactor.next_deadline() is None


def test_a_closing_line_is_not_asked(watched: Any) -> None:
    watched.session.close(1000, "")
    watched.run()
    watched.far.read()
    watched.reactor.suspend(3600)
    assert watched.far.read() == b""


def test_an_ended_line_is_not_asked(watched: Any) -> None:
    watched.session.drop()
    watched.run()
    watched.reactor.suspend(3600)
    watched.session.liveness.slept(5.0)
    assert watched.reactor.next_deadline() is None
