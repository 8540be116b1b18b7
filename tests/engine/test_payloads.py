"""encode_payload and its kin: what may be sent, and as which bytes."""

from __future__ import annotations

import array
from typing import Any

import pytest

from tieline.engine.payloads import (
    check_compress,
    check_frame,
    check_frame_opcode,
    control_payload,
    encode_json,
    encode_payload,
    fragments_of,
)
from tieline.errors import OptionError
from tieline.protocol.wire import Opcode


class Text(str):
    """A kind of text."""


@pytest.mark.parametrize(
    ("message", "opcode", "payload"),
    [
        ("ü", Opcode.TEXT, b"\xc3\xbc"),
        ("", Opcode.TEXT, b""),
        (Text("a"), Opcode.TEXT, b"a"),
        (b"a", Opcode.BINARY, b"a"),
        (bytearray(b"a"), Opcode.BINARY, b"a"),
        (memoryview(b"abc")[1:], Opcode.BINARY, b"bc"),
        (array.array("H", [1, 2]), Opcode.BINARY, array.array("H", [1, 2]).tobytes()),
        (memoryview(bytes(4)).cast("B", (2, 2)), Opcode.BINARY, bytes(4)),
    ],
)
def test_pieces(message: Any, opcode: Opcode, payload: bytes) -> None:
    encoded = encode_payload(message)
    assert encoded is not None
    assert encoded[0] is opcode
    assert bytes(encoded[1]) == payload and len(encoded[1]) == len(payload)


@pytest.mark.parametrize("message", [None, 1, ["a"], {"a": 1}, object()])
def test_no_pieces(message: object) -> None:
    assert encode_payload(message) is None


def test_large_memory_is_not_copied() -> None:
    data = bytearray(10)
    assert encode_payload(data) == (Opcode.BINARY, data)
    assert encode_payload(data)[1] is data  # type: ignore[index]


def test_what_cannot_be_encoded() -> None:
    with pytest.raises(OptionError, match=r"'\\udfff' at position 1.*surrogates"):
        encode_payload("a\udfff")
    with pytest.raises(OptionError, match="not contiguous"):
        encode_payload(memoryview(b"abcd")[::2])


def test_fragments_of() -> None:
    pieces = ["a"]
    assert fragments_of(pieces) is pieces
    for message, hint in [({}, True), (None, True), (1.5, True), (object(), False)]:
        with pytest.raises(OptionError, match="expected str, bytes, or an iterable") as error:
            fragments_of(message)
        assert ("send_json" in str(error.value)) is hint


def test_json() -> None:
    assert encode_json({"a": "ü"}, lambda value: str(value["a"])) == b"\xc3\xbc"
    for data in (b"bytes", bytearray(b"bytes"), memoryview(b"bytes")):
        assert encode_json(1, lambda value, data=data: data) == b"bytes"  # type: ignore[misc]
    assert encode_json(1, lambda value: "ü".encode()) == b"\xc3\xbc"
    for dumps in (lambda value: "\ud800", lambda value: 1 / "a"):  # type: ignore
        with pytest.raises(OptionError, match="send_json: cannot turn int into JSON"):
            encode_json(1, dumps)


@pytest.mark.parametrize(
    ("returned", "texts"),
    [
        (5, ["str, or as bytes-like", "returned int"]),
        (None, ["returned NoneType"]),
        (b"a\xff", ["not UTF-8", "position 1"]),
        (bytearray(b"\xed\xa0\x80"), ["not UTF-8"]),
    ],
)
def test_a_json_dumps_that_gives_no_text(returned: Any, texts: list[str]) -> None:
    with pytest.raises(OptionError) as caught:
        encode_json({"a": 1}, lambda value: returned)
    assert all(text in str(caught.value) for text in ["option 'json_dumps'", *texts])
    assert caught.value.__context__ is None


def test_control_payloads() -> None:
    assert control_payload("ü") == b"\xc3\xbc"
    assert control_payload(bytearray(b"a")) == b"a"
    with pytest.raises(OptionError, match="list in a Ping or Pong"):
        control_payload([])


def test_opcodes() -> None:
    assert check_frame_opcode(1) is Opcode.TEXT
    assert check_frame_opcode(Opcode.PONG) is Opcode.PONG
    for bad in (3, 11, -1, "1", None, True, 1.0):
        with pytest.raises(OptionError, match="opcode: expected one of 0x0 CONTINUATION"):
            check_frame_opcode(bad)


@pytest.mark.parametrize("fin", [None, "yes", 1, 0])
def test_fin_is_true_or_false(fin: Any) -> None:
    with pytest.raises(OptionError, match="fin: expected True or False, got"):
        check_frame("a", 1, fin, "close")


@pytest.mark.parametrize("compress", [1, 0, "yes", b""])
def test_compress_is_true_false_or_none(compress: Any) -> None:
    with pytest.raises(OptionError, match="compress: expected True, False or None, got"):
        check_compress(compress)
    for good in (True, False, None):
        check_compress(good)
