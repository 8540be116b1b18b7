"""Frames by hand: right ones are what the decoder reads, wrong ones are wrong as asked for."""

from __future__ import annotations

import pytest

from tieline.errors import ProtocolError
from tieline.protocol.deflate_backend import inflate_backend
from tieline.protocol.events import Frame
from tieline.protocol.inflater import Inflater
from tieline.protocol.inspection import FrameInspector
from tieline.protocol.wire import Opcode
from tieline.testing import close_payload, deflate_payload, frame_bytes


def read(data, masked=False):
    inspector = FrameInspector(masked, None, None)
    inspector.feed(data, len(data))
    return inspector.next_batch().frame


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
        {"opcode": 1, "rsv1": True},
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


def test_the_reserved_bits():
    assert frame_bytes(1, rsv1=True).hex() == frame_bytes(1, rsv=4).hex() == "c100"
    assert frame_bytes(1, rsv1=True, rsv=1).hex() == "d100"


def test_deflated_payloads():
    # The example of RFC 7692 section 7.2.3.1.
    assert deflate_payload("Hello").hex() == "f248cdc9c90700"
    assert deflate_payload(b"").hex() == "00"


@pytest.mark.parametrize("window_bits", [9, 12, 15])
@pytest.mark.parametrize("level", [0, 1, 9])
def test_deflated_payloads_fit_their_window_wherever_they_are_cut(window_bits, level):
    payload = bytes(range(20)) * 1500
    deflated = deflate_payload(payload, window_bits=window_bits, level=level)
    assert level == 0 or len(deflated) < len(payload) / 5
    for cut in (0, 1, len(deflated) // 2, len(deflated)):
        inflater = Inflater(inflate_backend(), window_bits, False)
        inflated = b""
        for piece, last in ((deflated[:cut], False), (deflated[cut:], True)):
            inflater.feed(piece, last)
            while inflater.is_pending:
                inflated += inflater.inflate(10_000)
        assert inflated == payload


def test_close_payloads():
    assert close_payload(None) == b""
    assert close_payload(1000, "bye") == b"\x03\xe8bye"
    assert close_payload(0) == b"\0\0"
