"""Unsent: whose memory it refers to, and that whoever waits for it is told in any case."""

from __future__ import annotations

from typing import Any

import pytest

from tieline.engine.receipts import Receipt
from tieline.engine.unsent import NONE_YET, Unsent
from tieline.errors import ConnectionClosed
from tieline.protocol.wire import Opcode


def new_receipt() -> Receipt:
    return Receipt(lambda: False)


@pytest.mark.parametrize("kind", [bytearray, lambda data: memoryview(bytearray(data))])
def test_memory_that_may_change_is_copied_once_it_is_owned(kind: type[bytearray]) -> None:
    payload = kind(b"before")
    unsent = Unsent(Opcode.BINARY, payload, None, 0.0)
    assert unsent.payload is payload
    unsent.own()
    payload[:] = b"after!"
    assert unsent.payload == b"before"


def test_bytes_are_never_copied() -> None:
    payload = b"x" * 1000
    unsent = Unsent(Opcode.BINARY, payload, None, 0.0)
    unsent.own()
    assert unsent.payload is payload


def test_a_mark_is_no_message() -> None:
    assert Unsent(None, b"", None, 0.0).is_mark
    assert not Unsent(Opcode.TEXT, b"", None, 0.0).is_mark


def test_its_receipt_is_told() -> None:
    sent, lost = new_receipt(), new_receipt()
    Unsent(Opcode.TEXT, b"x", None, 0.0, sent).delivered()
    Unsent(Opcode.TEXT, b"x", None, 0.0, lost).failed(ConnectionClosed("gone"))
    sent.wait(0)
    with pytest.raises(ConnectionClosed, match="gone"):
        lost.wait(0)
    # Nobody asked about these.
    Unsent(Opcode.TEXT, b"x", None, 0.0).delivered()
    Unsent(Opcode.TEXT, b"x", None, 0.0).failed(ConnectionClosed("gone"))


def test_who_waits_is_told_even_when_nobody_holds_it_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tieline.engine.receipts.SLICE", 0.001)
    receipt = new_receipt()
    unsent = Unsent(Opcode.TEXT, b"x", None, 0.0, receipt)
    with pytest.raises(TimeoutError):
        receipt.wait(0.005)
    del unsent
    with pytest.raises(ConnectionClosed, match="interrupted"):
        receipt.wait(5)


def test_what_was_sent_need_not_be_held() -> None:
    receipt = new_receipt()
    Unsent(Opcode.TEXT, b"x", None, 0.0, receipt).delivered()
    receipt.wait(0)


def test_nothing_can_be_added_to_a_queue_that_was_not_opened() -> None:
    queue: Any = NONE_YET
    assert not queue and list(queue) == []
    for add in ("append", "appendleft", "extend", "insert"):
        assert not hasattr(queue, add)
    with pytest.raises(TypeError):
        queue += [Unsent(Opcode.TEXT, b"x", None, 0.0)]
