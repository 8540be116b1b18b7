"""Frames by hand: right ones are what the decoder reads, wrong ones are wrong as asked for."""

from __future__ import annotations

import pytest

from tieline.errors import ProtocolError
from tieline.protocol.decoder import FrameDecoder
from tieline.protocol.events import Frame
from tieline.protocol.messages import MessageAssembler
from tieline.protocol.wire import Opcode
from tieline.testing import close_payload, frame_bytes


def read(data, masked=False):
    decoder = FrameDecoder(masked)
    decoder.feed(data, len(data))
    return MessageAssembler(decoder, None, None).next_frame()


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536])
@pytest.mark.parametrize("masked", [False, True])
def test_right_frames(size, masked):
    payload = bytes(size)
    data = frame_bytes(2, payload, mask_key=b"\1\2\3\4" if masked else None)
    assert read(data, masked) == Frame(Opcode.BINARY, payload)


def test_known_bytes():
    # The examples of RFC 6455 section 5.7.
    assert frame_bytes(1, "Hello").hex() == "810548656c6c6f"
    masked = frame_bytes(1, "Hello", mask_key=bytes.fromhex("37fa213d"))
    assert masked.hex() == "818537fa213d7f9f4d5158"
    assert frame_bytes(1, "Hel", fin=False).hex() == "010348656c"
    assert frame_bytes(2, bytes(256))[:4].hex() == "827e0100"
    assert frame_bytes(2, bytes(65536))[:10].hex() == "827f0000000000010000"


@pytest.mark.parametrize(
    "wrong",
    [
        {"opcode": 3},
        {"opcode": 1, "rsv": 4},
        {"opcode": 9, "fin": False},
        {"opcode": 1, "length_bytes": 2},
        {"opcode": 1, "length_bytes": 8},
        {"opcode": 1, "length": 1 << 63},
        {"opcode": 1, "mask_key": b"abcd"},
        {"opcode": 9, "payload": bytes(126)},
    ],
)
def test_wrong_frames(wrong):
    with pytest.raises(ProtocolError):
        read(frame_bytes(**wrong))


def test_a_longer_length_than_the_payload():
    data = frame_bytes(1, "abc", length=5)
    assert data.hex() == "8105616263"


def test_close_payloads():
    assert close_payload(None) == b""
    assert close_payload(1000, "bye") == b"\x03\xe8bye"
    assert close_payload(0) == b"\0\0"
