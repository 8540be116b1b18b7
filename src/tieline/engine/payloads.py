"""What a user sends → opcode and payload bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tieline.errors import OptionError
from tieline.option_checks import Refused, integer, shown
from tieline.protocol.wire import Opcode


def encode_payload(message: object) -> tuple[Opcode, bytes | bytearray | memoryview] | None:
    """A str or bytes-like message as opcode and bytes; None for anything else.

    Nothing is copied: `send` has masked or copied a bytearray or memoryview when it returns.
    Raises `OptionError` for text that UTF-8 cannot encode and for memory that is not contiguous.
    """
    if type(message) is str or isinstance(message, str):
        try:
            return Opcode.TEXT, message.encode()
        except UnicodeEncodeError as error:
            raise OptionError(
                f"cannot send text with {error.object[error.start]!r} at position {error.start}: "
                "UTF-8 has no surrogates; encode it yourself or replace the character"
            ) from None
    if isinstance(message, bytes | bytearray):
        return Opcode.BINARY, message
    try:
        view = memoryview(message)  # type: ignore[arg-type]
    except TypeError:
        return None
    if not view.c_contiguous:
        raise OptionError("cannot send memory that is not contiguous: send bytes(...) of it")
    return Opcode.BINARY, view.cast("B")


def fragments_of(message: object) -> Iterable[Any]:
    """`message` as the iterable of fragments that it must be when it is neither text nor bytes."""
    if isinstance(message, Iterable) and not isinstance(message, Mapping):
        return message
    hint = "; send_json() takes it" if isinstance(message, Mapping | int | float | None) else ""
    raise OptionError(
        f"cannot send {type(message).__name__}: expected str, bytes, or an iterable of either{hint}"
    )


def encode_json(value: object, dumps: Callable[[Any], str | bytes]) -> bytes:
    """What `dumps` makes of `value`, as UTF-8. Raises `OptionError` when it can make nothing."""
    try:
        text = dumps(value)
        if isinstance(text, str):
            return text.encode()
    except (TypeError, ValueError, RecursionError, AttributeError) as error:
        raise OptionError(
            f"send_json: cannot turn {type(value).__name__} into JSON: {error}"
        ) from error
    if not isinstance(text, bytes | bytearray | memoryview):
        raise OptionError(
            "option 'json_dumps': expected a function that returns JSON as str, or as bytes-like "
            f"in UTF-8; it returned {type(text).__name__}"
        )
    data = bytes(text)
    if not data.isascii():
        _check_utf8(data)
    return data


def _check_utf8(data: bytes) -> None:
    """The peer would fail the connection otherwise (RFC 6455 section 8.1)."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        # Not its cause, which holds all of the data.
        problem = f"{error.reason} at position {error.start}"
    else:
        return
    raise OptionError(
        "option 'json_dumps': it returned bytes that are not UTF-8, which cannot be sent as "
        f"text ({problem}): have it return str, or encode with 'utf-8'"
    )


def decode_json(message: str | bytes, loads: Callable[[str | bytes], Any]) -> Any:
    """What `loads` makes of a message. What it raises tells of the message too."""
    try:
        return loads(message)
    except Exception as error:
        error.add_note(f"recv_json: the message was {_shortened(message)}")
        raise


def control_payload(data: object) -> bytes:
    """The payload of a Ping or Pong: bytes-like, or text."""
    encoded = encode_payload(data)
    if encoded is None:
        raise OptionError(
            f"cannot send {type(data).__name__} in a Ping or Pong: expected bytes or str"
        )
    return bytes(encoded[1])


def check_frame(
    payload: object, opcode: object, fin: object, closing_method: str
) -> tuple[Opcode, bytes | bytearray | memoryview, bool]:
    """The arguments of `send_frame`. `closing_method` is what sends a Close frame instead."""
    kind = check_frame_opcode(opcode)
    if not isinstance(fin, bool):
        raise OptionError(f"fin: expected True or False, got {type(fin).__name__}{shown(fin)}")
    if kind is Opcode.CLOSE:
        raise OptionError(f"opcode: a CLOSE frame is sent by {closing_method}(code, reason)")
    if kind is Opcode.PING or kind is Opcode.PONG:
        if not fin:
            raise OptionError(f"fin=False: a {kind.name} frame cannot be fragmented")
        return kind, control_payload(payload), True
    encoded = encode_payload(payload)
    if encoded is None:
        raise OptionError(f"payload: expected str or bytes, got {type(payload).__name__}")
    return kind, encoded[1], fin


def check_frame_opcode(opcode: Any) -> Opcode:
    """The opcode argument of `send_frame`."""
    try:
        return Opcode(integer(opcode))
    except (ValueError, Refused):
        known = ", ".join(f"{known.value:#x} {known.name}" for known in Opcode)
        got = f"{type(opcode).__name__}{shown(opcode)}"
    raise OptionError(f"opcode: expected one of {known}; got {got}")


def check_compress(compress: object) -> None:
    """The argument of `send` and `send_many`: None is what the options say."""
    if compress is not None and not isinstance(compress, bool):
        raise OptionError(
            f"compress: expected True, False or None, got {type(compress).__name__}"
            f"{shown(compress)}"
        )


def _shortened(message: str | bytes) -> str:
    shown = repr(message[:80])
    return shown if len(message) <= 80 else f"{shown}..."
