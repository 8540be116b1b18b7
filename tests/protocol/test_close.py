"""Close frames: RFC 6455 sections 5.5.1, 7.1.5 and 7.4."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.test_wire import NOT_SENDABLE, SENDABLE
from tieline.errors import OptionError, ProtocolError
from tieline.protocol.close import (
    NO_STATUS,
    answer_to,
    check_close,
    close_for,
    decode_close,
    encode_close,
)
from tieline.protocol.events import Close
from tieline.protocol.wire import CloseCode


class TestWhatIsSent:
    def test_good_codes(self) -> None:
        for code in SENDABLE:
            assert check_close(code, "why") == Close(code, "why")

    def test_an_enum_becomes_a_number(self) -> None:
        close = check_close(CloseCode.GOING_AWAY, "")
        assert type(close.code) is int

    def test_what_counts_as_an_integer(self) -> None:
        class Number:
            def __init__(self, value: int) -> None:
                self._value = value

            def __index__(self) -> int:
                return self._value

        close = check_close(Number(4000), "why")  # type: ignore[arg-type]
        assert close == Close(4000, "why") and type(close.code) is int
        with pytest.raises(OptionError, match="close code 1005 may not be sent"):
            check_close(Number(1005), "")  # type: ignore[arg-type]

    @pytest.mark.parametrize("code", NOT_SENDABLE)
    def test_bad_codes(self, code: int) -> None:
        with pytest.raises(OptionError, match=rf"close code {code} may not be sent .* use 1000-"):
            check_close(code, "")

    @pytest.mark.parametrize(("code", "kind"), [(True, "bool"), ("1000", "str"), (1e3, "float")])
    def test_codes_that_are_no_numbers(self, code: object, kind: str) -> None:
        with pytest.raises(OptionError, match=rf"close code: expected an integer.*\({kind}\)"):
            check_close(code, "")

    def test_a_reason_is_text(self) -> None:
        with pytest.raises(OptionError, match="close reason: expected str, got bytes"):
            check_close(1000, b"bye")

    @pytest.mark.parametrize("reason", ["x" * 123, "€" * 41, ""])
    def test_a_reason_of_123_bytes(self, reason: str) -> None:
        assert len(encode_close(check_close(1000, reason))) <= 125

    @pytest.mark.parametrize(("reason", "size"), [("x" * 124, 124), ("€" * 42, 126)])
    def test_a_longer_reason(self, reason: str, size: int) -> None:
        with pytest.raises(OptionError, match=f"at most 123 bytes of UTF-8, got {size}: shorten"):
            check_close(1000, reason)

    def test_a_reason_that_utf_8_has_no_bytes_for(self) -> None:
        with pytest.raises(OptionError, match="close reason: expected text that UTF-8 can encode"):
            check_close(1000, "\ud800")


class TestThePayload:
    @pytest.mark.parametrize(
        ("close", "payload"),
        [
            (Close(1000, ""), "03e8"),
            (Close(1001, "bye"), "03e9 627965"),
            (Close(4999, "€"), "1387 e282ac"),
            (NO_STATUS, ""),  # no code at all
        ],
    )
    def test_both_ways(self, close: Close, payload: str) -> None:
        assert encode_close(close) == bytes.fromhex(payload)
        assert decode_close(bytes.fromhex(payload)) == close

    @given(st.sampled_from(SENDABLE), st.text(max_size=30))
    def test_any_good_close(self, code: int, reason: str) -> None:
        assert decode_close(encode_close(check_close(code, reason))) == (code, reason)


class TestWhatIsReceived:
    def test_one_byte_is_half_a_code(self) -> None:
        with pytest.raises(ProtocolError, match="no payload or at least 2 bytes, got 1") as caught:
            decode_close(b"\x03")
        assert caught.value.close_code == 1002

    @pytest.mark.parametrize("code", [code for code in NOT_SENDABLE if 0 <= code <= 65535])
    def test_bad_codes(self, code: int) -> None:
        with pytest.raises(ProtocolError, match=f"may be sent, got {code} ") as caught:
            decode_close(code.to_bytes(2, "big") + b"why")
        assert caught.value.close_code == 1002

    @pytest.mark.parametrize("reason", ["ff", "c080", "eda080", "f4908080", "e282"])
    def test_a_reason_that_is_not_utf_8(self, reason: str) -> None:
        with pytest.raises(ProtocolError, match="expected UTF-8 in the close reason") as caught:
            decode_close(b"\x03\xe8ok" + bytes.fromhex(reason))
        assert caught.value.close_code == 1007

    def test_every_code_there_is(self) -> None:
        accepted = set()
        for code in range(65536):
            try:
                accepted.add(decode_close(code.to_bytes(2, "big")).code)
            except ProtocolError:
                continue
        named = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}
        assert accepted == named | set(range(3000, 5000))


@pytest.mark.parametrize("code", [1000, 1001, 1013, 3000, 4999])
def test_an_answer_has_the_code_alone(code: int) -> None:
    assert answer_to(Close(code, "why")) == answer_to(Close(code, "")) == Close(code, "")
    assert answer_to(decode_close(b"")) is NO_STATUS


def test_connections_share_what_nearly_every_close_says() -> None:
    for code in (1000, 1001):
        assert check_close(code, "") is decode_close(code.to_bytes(2, "big"))


@pytest.mark.parametrize(
    ("text", "told"),
    [("gone", "gone"), ("é" * 100, "é" * 61), ("a" + "é" * 100, "a" + "é" * 61), ("\ud800", "?")],
    ids=["short", "cut", "cut between characters", "no UTF-8"],
)
def test_of_an_error_the_peer_is_told_what_has_room(text: str, told: str) -> None:
    close = close_for(ValueError(text), CloseCode.INTERNAL_ERROR)
    assert close == Close(1011, told)
    assert decode_close(encode_close(close)) == close
