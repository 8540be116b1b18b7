"""Ledger: which messages the kernel has, which did not arrive, and of which nobody knows."""

from __future__ import annotations

from collections import deque

import pytest

from tests.moments import at_every_moment
from tieline.engine.ledger import NEVER, VAGUE, Entry, Ledger
from tieline.engine.receipts import Receipt
from tieline.engine.unsent import Unsent
from tieline.errors import ConnectionClosed
from tieline.protocol.close import Close
from tieline.protocol.events import CloseInfo
from tieline.protocol.wire import Opcode

INFO = CloseInfo(1006, "", None, Close(1000, ""), False, "none")


class Bench:
    """A ledger, and the receipts of what is in it, by name."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.receipts: dict[str, Receipt] = {}

    def new(self, name: str, is_kept: bool) -> Unsent:
        self.receipts[name] = Receipt(lambda: False)
        opcode = None if name.startswith("mark") else Opcode.TEXT
        return Unsent(opcode, name.encode(), None, 0.0, self.receipts[name], is_kept)

    def add(self, name: str, end: int, low: int | None = None, is_kept: bool = True) -> None:
        unsent = self.new(name, is_kept)
        self.ledger.opened().append(Entry(unsent, end if low is None else low, end))

    def fates(self) -> dict[str, str]:
        """name -> "waits", "sent", "not sent", "unknown"."""
        return {name: fate(receipt) for name, receipt in self.receipts.items()}

    def rest(self) -> list[str]:
        return [bytes(unsent.payload).decode() for unsent in self.ledger.take_rest()]

    def end(self, reached: int, deferred: list[Unsent] | None = None) -> None:
        self.ledger.end(reached, deferred or [])
        self.ledger.tell(ConnectionResetError("reset"), None)


def fate(receipt: Receipt) -> str:
    if not receipt.done:
        return "waits"
    try:
        receipt.wait(0)
    except ConnectionClosed as error:
        return "unknown" if "may or may not" in str(error) else "not sent"
    return "sent"


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_each_is_told_when_the_kernel_has_its_last_byte(bench: Bench) -> None:
    bench.add("a", 10)
    bench.add("b", 10)  # nothing but a mark could end where another ends, but it must do no harm
    bench.add("c", 20)
    bench.ledger.settle(9)
    assert bench.fates() == {"a": "waits", "b": "waits", "c": "waits"}
    bench.ledger.settle(10)
    assert bench.fates() == {"a": "sent", "b": "sent", "c": "waits"}
    bench.ledger.settle(25)
    assert bench.fates()["c"] == "sent" and not bench.ledger.entries


def test_what_has_a_vague_end_is_told_when_all_before_a_later_time_is_sent(bench: Bench) -> None:
    bench.add("a", VAGUE, low=1)
    bench.add("b", 20)
    bench.ledger.settle(10)
    assert bench.fates() == {"a": "waits", "b": "waits"}
    bench.ledger.bound(15)
    bench.ledger.settle(14)
    assert bench.fates() == {"a": "waits", "b": "waits"}
    bench.ledger.settle(15)
    assert bench.fates() == {"a": "sent", "b": "waits"}


def test_what_is_not_encoded_yet_is_not_sent(bench: Bench) -> None:
    bench.add("a", NEVER, low=1)
    bench.ledger.settle(1000)
    assert bench.fates() == {"a": "waits"}


@pytest.mark.parametrize("settled", range(0, 31, 5))
@pytest.mark.parametrize("reached", range(0, 31, 5))
def test_the_end(settled: int, reached: int) -> None:
    if reached < settled:
        return
    bench = Bench()
    ends = {"a": 10, "b": 20, "c": 30}
    for name, end in ends.items():
        bench.add(name, end)
    bench.ledger.settle(settled)
    bench.end(reached)
    fates = bench.fates()
    rest = bench.rest()
    for name, end in ends.items():
        if end <= settled:
            assert fates[name] == "sent" and name not in rest
        elif end <= reached:
            assert fates[name] == "unknown" and name not in rest
        else:
            assert fates[name] == "waits" and name in rest
    assert bench.rest() == []  # once


def test_whoever_is_not_kept_is_told(bench: Bench) -> None:
    bench.add("a", 10, is_kept=False)
    bench.add("b", 20)
    bench.end(5, [bench.new("c", False), bench.new("d", True)])
    assert bench.fates() == {"a": "not sent", "b": "waits", "c": "not sent", "d": "waits"}
    assert bench.rest() == ["b", "d"]


def test_what_was_sent_on_top_of_another_may_be_anywhere(bench: Bench) -> None:
    bench.add("a", 20, low=6)
    bench.end(5)
    assert bench.rest() == ["a"]
    bench = Bench()
    bench.add("a", 20, low=6)
    bench.end(6)
    assert bench.rest() == [] and bench.fates() == {"a": "unknown"}


def test_the_errors_tell_how_it_ended(bench: Bench) -> None:
    bench.add("a", 10, is_kept=False)
    bench.ledger.end(0, [])
    assert bench.fates() == {"a": "waits"}, "how it ended is not known yet"
    bench.ledger.tell(None, INFO)
    with pytest.raises(ConnectionClosed, match="1006") as caught:
        bench.receipts["a"].wait(0)
    assert caught.value.close_info is INFO
    bench = Bench()
    bench.add("a", 10, is_kept=False)
    bench.end(0)
    with pytest.raises(ConnectionClosed, match="reset"):
        bench.receipts["a"].wait(0)


def test_only_the_first_end_counts(bench: Bench) -> None:
    bench.add("a", 10)
    bench.end(5)
    bench.end(15)
    assert bench.rest() == ["a"]


# --- marks ----------------------------------------------------------------------------------------


def test_a_mark_goes_along_with_all_that_is_before_it(bench: Bench) -> None:
    bench.add("a", 10)
    bench.add("mark", 10)
    bench.end(5)
    assert bench.rest() == ["a", "mark"] and bench.fates()["mark"] == "waits"


@pytest.mark.parametrize(
    "why", ["one is not kept", "one may have arrived", "one nobody asked for", "it is not kept"]
)
def test_a_mark_is_not_reached_any_more(bench: Bench, why: str) -> None:
    bench.add("a", 10, is_kept=why != "one is not kept")
    bench.add("b", 20)
    if why == "one nobody asked for":
        bench.ledger.unknown_until = 20
    bench.add("mark", 20, is_kept=why != "it is not kept")
    bench.end(10 if why == "one may have arrived" else 5, [bench.new("mark 2", True)])
    rest = bench.rest()
    assert "b" in rest and "mark" not in rest and "mark 2" not in rest
    for name in ("mark", "mark 2"):
        with pytest.raises(ConnectionClosed, match="flush"):
            bench.receipts[name].wait(0)


def test_what_nobody_asked_for_is_no_matter_once_it_was_sent(bench: Bench) -> None:
    bench.ledger.unknown_until = 10
    bench.ledger.settle(10)
    bench.add("a", 20)
    bench.add("mark", 20)
    bench.end(10)
    assert bench.rest() == ["a", "mark"]


def test_marks_for_which_nobody_waits_are_forgotten(bench: Bench) -> None:
    bench.add("a", 10)
    for number in range(3):
        bench.add(f"mark {number}", 10)
    bench.ledger.entries[1].unsent.receipt = None
    bench.ledger.entries[3].unsent.receipt = None
    bench.ledger.forget_idle()
    assert [entry.unsent.payload for entry in bench.ledger.entries] == [b"a", b"mark 1"]


# --- signals, forks -------------------------------------------------------------------------------


def three() -> Bench:
    bench = Bench()
    bench.add("a", 10)
    bench.add("b", 20, is_kept=False)
    bench.add("c", 30)
    bench.ledger.settle(5)
    return bench


def test_ctrl_c_at_every_moment_of_settling() -> None:
    for bench, _ in at_every_moment(three, lambda it: it.ledger.settle(20)):
        bench.ledger.settle(20)
        assert bench.fates() == {"a": "sent", "b": "sent", "c": "waits"}


def test_ctrl_c_at_every_moment_of_the_end() -> None:
    for bench, _ in at_every_moment(three, lambda it: it.end(15)):
        bench.end(15)  # as the reactor's thread does again
        assert bench.fates() == {"a": "unknown", "b": "not sent", "c": "waits"}
        assert bench.rest() == ["c"]


def test_a_signal_handler_settles_at_every_moment_of_settling() -> None:
    for bench, error in at_every_moment(
        three,
        lambda it: it.ledger.settle(20),
        lambda it: it.ledger.settle(30),
    ):
        assert error is None
        assert bench.fates() == {"a": "sent", "b": "sent", "c": "sent"}
        assert not bench.ledger.entries


def test_after_a_fork_nothing_is_known(bench: Bench) -> None:
    bench.add("a", 10)
    bench.ledger.abandon_after_fork(ConnectionClosed("the process was forked"))
    with pytest.raises(ConnectionClosed, match="forked"):
        bench.receipts["a"].wait(0)
    bench.end(0)
    assert bench.rest() == []


def test_a_signal_handler_is_first_at_every_moment_of_opening() -> None:
    def on_top(bench: Bench) -> None:
        bench.add("handler's", 10)

    for bench, error in at_every_moment(Bench, lambda it: it.ledger.opened(), on_top):
        assert error is None
        bench.add("a", 20)
        bench.ledger.settle(20)
        assert bench.fates() == {"handler's": "sent", "a": "sent"}
        assert not bench.ledger.entries


def test_a_signal_handler_on_top_may_tell_the_last_one(bench: Bench) -> None:
    class Told(deque[Entry]):
        """What waits is told of by somebody else, just when it was seen that it waits."""

        def __bool__(self) -> bool:
            has_any = len(self) > 0
            if bench.fates()["one"] == "waits":
                self.clear()
            return has_any

    bench.add("one", 10)
    bench.ledger.entries = Told(bench.ledger.entries)
    bench.ledger.settle(10)
    assert bench.fates() == {"one": "sent"} and len(bench.ledger.entries) == 0


def test_a_signal_handler_on_top_may_tell_the_others_at_the_end(bench: Bench) -> None:
    class Settling(Unsent):
        def delivered(self) -> None:
            was_sent = self.is_sent
            super().delivered()
            if not was_sent:
                bench.ledger.settle(20)

    receipt = bench.receipts["one"] = Receipt(lambda: False)
    one = Settling(Opcode.TEXT, b"one", None, 0.0, receipt, True)
    bench.ledger.settle(10)
    bench.ledger.opened().append(Entry(one, 10, 10))
    bench.add("two", 20)
    bench.ledger.end(20, ())
    assert bench.fates() == {"one": "sent", "two": "sent"} and bench.rest() == []
