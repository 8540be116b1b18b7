"""The numbers of RFC 6455 and of the IANA registry."""

from __future__ import annotations

import pytest

from tieline.protocol import wire
from tieline.protocol.wire import (
    CloseCode,
    Opcode,
    describe_close_code,
    is_sendable_close_code,
)


def test_opcodes_are_the_rfcs() -> None:
    assert {opcode.name: opcode.value for opcode in Opcode} == {
        "CONTINUATION": 0x0,
        "TEXT": 0x1,
        "BINARY": 0x2,
        "CLOSE": 0x8,
        "PING": 0x9,
        "PONG": 0xA,
    }


def test_close_codes_are_the_registrys() -> None:
    # 1004 is reserved without a meaning, so it has no name.
    assert {code.value for code in CloseCode} == set(range(1000, 1016)) - {1004}


def test_every_number_is_described() -> None:
    for number in (*Opcode, *CloseCode):
        assert len(number.description) > 10
        assert type(number)(int(number)) is number


def test_descriptions_differ() -> None:
    assert len({code.description for code in CloseCode}) == len(CloseCode)
    assert len({opcode.description for opcode in Opcode}) == len(Opcode)


def test_control_opcodes() -> None:
    assert [opcode for opcode in Opcode if opcode.is_control] == [8, 9, 10]


@pytest.mark.parametrize("number", [0x3, 0x7, 0xB, 0xF, 16, -1])
def test_reserved_opcodes_are_none(number: int) -> None:
    with pytest.raises(ValueError):
        Opcode(number)


SENDABLE = [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999]
NOT_SENDABLE = [-1, 0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535, 65536]


def test_codes_that_may_stand_in_a_close_frame() -> None:
    assert [code for code in SENDABLE if not is_sendable_close_code(code)] == []


def test_codes_that_may_not() -> None:
    assert [code for code in NOT_SENDABLE if is_sendable_close_code(code)] == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1000, "1000 (normal closure)"),
        (1001, "1001 (going away)"),
        (CloseCode.ABNORMAL_CLOSURE, "1006 (abnormal closure)"),
        (1004, "1004 (unknown)"),
        (2999, "2999 (unknown)"),
        (3000, "3000 (registered)"),
        (3999, "3999 (registered)"),
        (4000, "4000 (private use)"),
        (4999, "4999 (private use)"),
        (5000, "5000 (unknown)"),
    ],
)
def test_a_code_in_words(code: int, words: str) -> None:
    assert describe_close_code(code) == words


def test_limits() -> None:
    assert wire.MAX_CONTROL_PAYLOAD == 125
    assert wire.MAX_CLOSE_REASON == 123
    assert wire.MAX_PAYLOAD_LENGTH == 0x7FFF_FFFF_FFFF_FFFF
