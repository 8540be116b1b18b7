"""Faults are values that say what goes wrong, and where; impossible ones are refused."""

from __future__ import annotations

import pytest

from tieline.testing import faults
from tieline.testing.faults import Fault, Kind


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (faults.PASS, "pass"),
        (faults.REFUSE, "refuse"),
        (faults.HANG, "stall after 0 bytes to_client and to_server"),
        (faults.reset(3, past=b"\r\n\r\n"), r"reset after 3 bytes behind b'\r\n\r\n' to_client"),
        (faults.cut(5, direction="to_server"), "cut after 5 bytes to_server"),
        (faults.half_close(), "half_close after 0 bytes to_client"),
        (faults.stall(1, direction="to_server"), "stall after 1 bytes to_server"),
        (faults.black_hole(7), "black_hole after 7 bytes to_client and to_server"),
        (faults.garbage(b"x", 2), "garbage after 2 bytes to_client"),
        (faults.tls_alert(), "garbage after 0 bytes to_client"),
        (faults.drip(2, 0.5), "drip after 0 bytes to_client and to_server"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_faults_say_what_they_are(fault: Fault, said: str) -> None:
    assert str(fault) == said


def test_faults_are_equal_when_they_do_the_same() -> None:
    assert faults.stall() == faults.HANG
    assert faults.reset(1) != faults.reset(2)
    assert len({faults.cut(1), faults.cut(1)}) == 1


def test_a_fatal_alert_is_a_tls_record() -> None:
    # RFC 8446 section 5.1: type 21 (alert), legacy version, length 2; level 2 (fatal), 40.
    assert faults.tls_alert().data == bytes.fromhex("15 0303 0002 02 28")
    assert faults.tls_alert(112).data[-1] == 112  # unrecognized_name


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"at": -1}, "at=0 bytes or more, got -1"),
        ({"size": 0}, "size=1 byte or more, got 0"),
        ({"interval": -0.5}, "interval=0 seconds or more, got -0.5"),
        ({"interval": float("nan")}, "interval=0 seconds or more, got nan"),
        ({"directions": ("up",)}, "unknown direction 'up'"),
        ({"directions": ()}, "at least one direction"),
    ],
    ids=str,
)
def test_impossible_faults(wrong: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Fault(kind=Kind.DRIP, **wrong)
