"""Records come out in order, waits are bounded, and handlers that overlap are found."""

from __future__ import annotations

import threading

import pytest

from tieline.engine.handlers import FrameAction
from tieline.testing import ANYTHING, Recorder


def test_records_in_order():
    recorder = Recorder()
    recorder.on_open("response")
    recorder.callback("a")
    recorder.callback(None)
    recorder.on_close("info")
    assert recorder.expect("open") == "response"
    assert recorder.expect("message", "a") == "a"
    assert recorder.expect("end", None) is None
    assert recorder.expect("close", ANYTHING) == "info"
    recorder.assert_exhausted()


def test_every_handler_records_its_kind():
    recorder = Recorder()
    for kind in Recorder.KINDS:
        getattr(recorder, f"on_{kind}")(kind)
        assert recorder.expect(kind) == kind
    recorder.assert_exhausted()


def test_messages_stay_after_they_were_taken_out():
    recorder = Recorder()
    recorder.callback("a")
    recorder.expect("message")
    recorder.on_message(b"b")
    assert recorder.messages == ["a", b"b"]


def test_expect_tells_what_came_instead():
    recorder = Recorder()
    recorder.on_ping(b"1")
    recorder.on_message("m")
    with pytest.raises(AssertionError, match="expected message, got ping b'1', message 'm'"):
        recorder.expect("message")
    with pytest.raises(AssertionError, match="expected ping b'2', got ping b'1'"):
        recorder.expect("ping", b"2")
    assert len(recorder.take()) == 2


def test_expect_tells_that_nothing_came():
    with pytest.raises(AssertionError, match="expected open within 0 s, nothing came"):
        Recorder().expect("open")


def test_long_values_are_cut_in_texts():
    recorder = Recorder()
    recorder.on_message("x" * 10_000)
    with pytest.raises(AssertionError) as caught:
        recorder.assert_exhausted()
    assert len(str(caught.value)) < 300


def test_wait_for_takes_the_first_of_its_kind():
    recorder = Recorder()
    recorder.on_ping(b"1")
    recorder.on_message("a")
    recorder.on_message("b")
    assert recorder.wait_for("message") == "a"
    assert [record.kind for record in recorder.take()] == ["ping", "message"]


def test_wait_for_waits_for_another_thread():
    recorder = Recorder()
    thread = threading.Thread(target=recorder.on_message, args=("a",))
    thread.start()
    assert recorder.wait_for("message", timeout=5) == "a"
    thread.join(5)
    assert recorder.threads == {thread}


def test_wait_for_is_bounded():
    recorder = Recorder()
    recorder.on_ping(b"")
    with pytest.raises(AssertionError, match="expected close within 0.01 s, got ping b''"):
        recorder.wait_for("close", timeout=0.01)


def test_expect_waits_if_told_to():
    recorder = Recorder()
    thread = threading.Thread(target=recorder.on_message, args=("a",))
    thread.start()
    assert recorder.expect("message", "a", timeout=5) == "a"
    thread.join(5)


def test_context_manager_wants_everything_taken_out():
    with pytest.raises(AssertionError, match="expected nothing more, got message 'left'"):
        with Recorder() as recorder:
            recorder.on_message("left")


def test_context_manager_does_not_hide_an_error():
    with pytest.raises(KeyError):
        with Recorder() as recorder:
            recorder.on_message("left")
            raise KeyError


def test_overlapping_handlers_are_found():
    recorder = Recorder()
    inside, leave = threading.Event(), threading.Event()

    def slow(message):
        inside.set()
        leave.wait(5)

    recorder.react("message", slow)
    thread = threading.Thread(target=recorder.on_message, args=("first",), name="one")
    thread.start()
    assert inside.wait(5)
    recorder.on_ping(b"second")
    leave.set()
    thread.join(5)
    recorder.take()
    with pytest.raises(AssertionError, match="at the same time: ping b'second' on .* on one"):
        recorder.assert_exhausted()


def test_handlers_one_after_the_other_on_two_threads_are_fine():
    with Recorder() as recorder:
        thread = threading.Thread(target=recorder.on_message, args=("a",))
        thread.start()
        thread.join(5)
        recorder.on_message("b")
        recorder.take()
    assert len(recorder.threads) == 2


def test_reactions_run_in_the_handler_and_may_raise():
    recorder = Recorder()

    def refuse(message):
        raise ValueError(message)

    recorder.react("message", refuse)
    with pytest.raises(ValueError, match="a"):
        recorder.callback("a")
    recorder.callback(None)
    recorder.expect("message", "a")
    recorder.expect("end")
    recorder.assert_exhausted()


def test_frames_are_processed_unless_the_reaction_says_otherwise():
    recorder = Recorder()
    assert recorder.on_frame("frame") is FrameAction.PROCESS
    recorder.react("frame", lambda frame: FrameAction.SKIP)
    assert recorder.on_frame("frame") is FrameAction.SKIP


def test_handlers_for_keyword_arguments():
    recorder = Recorder()
    assert set(recorder.handlers("message", "frame")) == {"on_message", "on_frame"}
    assert set(recorder.handlers()) == {
        f"on_{kind}" for kind in Recorder.KINDS if kind not in ("frame", "event")
    }
    with pytest.raises(ValueError, match="unknown kind 'massage'"):
        recorder.handlers("massage")
