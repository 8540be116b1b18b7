"""Receipt: any thread waits for what any thread tells, once and for all."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.moments import at_every_moment
from tests.refusals import NO_SECONDS
from tieline.engine.receipts import Receipt
from tieline.errors import ConnectionClosed, OptionError

SOON = 5.0


def new_receipt() -> Receipt:
    return Receipt(lambda: False)


def test_waiting_for_what_has_happened() -> None:
    receipt = new_receipt()
    assert not receipt.done and "waiting" in repr(receipt)
    receipt.delivered()
    assert receipt.done and "sent" in repr(receipt)
    receipt.wait(0)
    receipt.wait()


def test_what_never_will_happen_is_raised_each_time() -> None:
    receipt = new_receipt()
    receipt.failed(ConnectionClosed("gone"))
    for _ in range(2):
        with pytest.raises(ConnectionClosed, match="gone"):
            receipt.wait()
    assert "gone" in repr(receipt)


def test_the_first_word_counts() -> None:
    sent, lost = new_receipt(), new_receipt()
    sent.delivered()
    sent.failed(ConnectionClosed("gone"))
    sent.wait(0)
    lost.failed(ConnectionClosed("gone"))
    lost.delivered()
    with pytest.raises(ConnectionClosed):
        lost.wait(0)


@pytest.mark.parametrize("timeout", [0, 0.001])
def test_a_wait_that_is_too_short(timeout: float) -> None:
    receipt = new_receipt()
    with pytest.raises(TimeoutError, match="may be sent"):
        receipt.wait(timeout)
    receipt.delivered()
    receipt.wait(timeout)


@pytest.mark.parametrize("timeout", [None, SOON])
def test_all_threads_that_wait_are_woken(timeout: float | None) -> None:
    receipt = new_receipt()
    woken: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: (receipt.wait(timeout), woken.append(n)))  # type: ignore[func-returns-value]
        for n in range(3)
    ]
    for thread in threads:
        thread.start()
    receipt.delivered()
    for thread in threads:
        thread.join(SOON)
    assert sorted(woken) == [0, 1, 2]


def test_who_must_not_wait_is_told_so_unless_there_is_nothing_to_wait_for() -> None:
    receipt = Receipt(lambda: True)
    with pytest.raises(RuntimeError, match="handler"):
        receipt.wait(0)
    receipt.delivered()
    receipt.wait()


def test_a_signal_handler_tells_at_every_moment_of_the_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tieline.engine.receipts.SLICE", 0.001)
    errors = []
    for receipt, error in at_every_moment(
        new_receipt, lambda it: it.wait(0.003), Receipt.delivered
    ):
        errors.append(error)
        receipt.wait(0)
    assert errors[0] is None
    assert all(error is None or isinstance(error, TimeoutError) for error in errors)


def test_ctrl_c_at_every_moment_keeps_nobody_waiting() -> None:
    def tell_again(receipt: Receipt) -> None:
        receipt.delivered()
        receipt.wait(SOON)

    for receipt, error in at_every_moment(new_receipt, Receipt.delivered):
        assert isinstance(error, KeyboardInterrupt)
        tell_again(receipt)

    def settled() -> Receipt:
        receipt = new_receipt()
        receipt.delivered()
        return receipt

    for receipt, _ in at_every_moment(settled, lambda it: it.wait(SOON)):
        receipt.wait(SOON)


def test_a_wait_that_is_interrupted_leaves_the_gate_open_for_others() -> None:
    """One that comes through and is interrupted before it lets the next one through."""
    receipt = new_receipt()
    receipt.delivered()
    gate: Any = receipt._gate
    assert gate.acquire(timeout=0)
    receipt.wait(SOON)
    gate.release()


@pytest.mark.parametrize("value", NO_SECONDS)
def test_what_is_no_timeout_is_refused_also_when_it_is_done(value: Any) -> None:
    receipt = new_receipt()
    for _ in range(2):
        with pytest.raises(OptionError, match="timeout: expected seconds"):
            receipt.wait(value)
        receipt.delivered()
