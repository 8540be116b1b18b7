"""However the bytes are cut, the fault strikes at the same one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.testing import faults
from tieline.testing.fault_flow import FaultFlow
from tieline.testing.faults import Fault

SENT = b"HTTP/1.1 101 X\r\nA: b\r\n\r\n\x81\x03abc\x81\x03def"
HEAD = SENT.index(b"\x81")

#: A fault, and what comes out of SENT.
LOSING = [
    (faults.PASS, SENT),
    (faults.black_hole(), b""),
    (faults.black_hole(4), SENT[:4]),
    (faults.black_hole(10_000), SENT),
    (faults.reset(1), SENT[:1]),
    (faults.cut(past=faults.HEAD_END), SENT[:HEAD]),
    (faults.half_close(3, past=faults.HEAD_END), SENT[: HEAD + 3]),
    (faults.black_hole(1, past=b"c"), SENT[: SENT.index(b"c") + 2]),
    (faults.black_hole(past=b"no such bytes"), SENT),
    (faults.garbage(b"noise"), b"noise"),
    (faults.garbage(b"noise", 2, past=faults.HEAD_END), SENT[: HEAD + 2] + b"noise"),
    (faults.stall(3), SENT[:3]),
    (faults.reset(1, direction="to_server"), SENT),
]


def through(fault: Fault, pieces: Iterator[bytes] | list[bytes]) -> FaultFlow:
    flow = FaultFlow("to_client", fault)
    flow.out = flow.release(0.0)
    for piece in pieces:
        flow.receive(piece)
        flow.out += flow.release(0.0)
    return flow


@pytest.mark.parametrize(("fault", "comes_out"), LOSING, ids=[str(one) for one, _ in LOSING])
def test_whole_and_byte_by_byte(fault: Fault, comes_out: bytes) -> None:
    whole = through(fault, [SENT])
    single = through(fault, [SENT[n : n + 1] for n in range(len(SENT))])
    assert whole.out == single.out == comes_out
    assert (whole.passed, whole.lost) == (single.passed, single.lost)


@given(
    cuts=st.sets(st.integers(0, len(SENT)), max_size=8).map(sorted),
    case=st.sampled_from(LOSING),
)
def test_any_cuts(cuts: list[int], case: tuple[Fault, bytes]) -> None:
    ends = [0, *cuts, len(SENT)]
    pieces = [SENT[start:end] for start, end in zip(ends, ends[1:], strict=False)]
    assert through(case[0], pieces).out == case[1]


def test_bytes_are_counted() -> None:
    flow = through(faults.garbage(b"noise", 5), [SENT])
    assert (flow.passed, flow.lost) == (5, len(SENT) - 5)
    assert flow.has_struck and flow.is_empty


def test_it_strikes_as_soon_as_the_last_byte_before_it_has_passed() -> None:
    flow = through(faults.reset(3), [b"ab"])
    assert not flow.has_struck
    flow.receive(b"c")
    assert flow.release(0.0) == b"c" and flow.has_struck
    assert through(faults.reset(), []).has_struck


def test_stalled_bytes_are_kept_and_the_source_is_not_read() -> None:
    flow = through(faults.stall(1), [b"abc"])
    assert (flow.out, flow.is_empty, flow.wants_input) == (b"a", False, False)
    flow.strike(faults.PASS)
    assert flow.wants_input and flow.release(0.0) == b"bc"


def test_a_fault_that_strikes_later_counts_from_there() -> None:
    flow = through(faults.PASS, [b"abcdef"])
    flow.strike(faults.black_hole(2))
    flow.receive(b"ghij")
    assert flow.release(0.0) == b"gh"
    flow.strike(faults.PASS)
    flow.receive(b"klm")
    assert flow.release(0.0) == b"klm"
    assert (flow.passed, flow.lost) == (11, 2)


def test_only_a_black_hole_takes_the_end_too() -> None:
    for fault, _ in LOSING:
        flow = through(fault, [SENT])
        assert flow.has_lost_its_end is (fault.kind is faults.Kind.BLACK_HOLE and flow.has_struck)


def test_a_full_flow_is_not_read() -> None:
    flow = through(faults.drip(1), [bytes(1_000_000)])
    assert not flow.wants_input
    flow.let_through(1_000_000)
    assert len(flow.release(0.0)) == 1_000_000 and flow.wants_input


def test_drops_come_one_after_the_other() -> None:
    flow = through(faults.drip(2, 0.5, past=b":"), [b"ab:cdefg"])
    assert flow.out == b"ab:cd"  # the first drop need not wait
    assert flow.next_time() == 0.5
    assert flow.release(0.4) == b""
    assert flow.release(0.5) == b"ef"
    assert flow.release(3.0) == b"g"
    assert flow.next_time() is None  # nothing is left to come


def test_drops_wait_for_the_test() -> None:
    flow = through(faults.drip(), [b"abc"])
    assert (flow.out, flow.next_time()) == (b"", None)
    flow.let_through(2)
    assert flow.release(9.0) == b"ab"
    flow.let_through(2)
    assert flow.release(9.0) == b"c"
    flow.receive(b"def")
    assert flow.release(9.0) == b"d"


def test_after_the_end_everything_vanishes() -> None:
    flow = through(faults.stall(), [b"abc"])
    flow.lose_all()
    assert flow.wants_input and flow.release(0.0) == b""
    assert (flow.is_empty, flow.lost) == (True, 3)


def test_repr() -> None:
    flow = through(faults.reset(2), [b"abc"])
    assert repr(flow) == (
        "<to_client: 2 bytes passed, 1 lost, 0 held, reset after 2 bytes to_client (struck)>"
    )
