"""permessage-deflate: what each side wants → what both agree on (RFC 7692 section 7.1).

One offer, one answer, one check; pure functions for both roles.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from tieline.compression import MAX_WINDOW_BITS, Deflate
from tieline.headers import excerpt
from tieline.patterns import pattern
from tieline.protocol.extensions import Extension, parse_extensions

NAME = "permessage-deflate"

_CLIENT_NO_TAKEOVER = "client_no_context_takeover"
_SERVER_NO_TAKEOVER = "server_no_context_takeover"
_CLIENT_BITS = "client_max_window_bits"
_SERVER_BITS = "server_max_window_bits"
_FLAGS = (_SERVER_NO_TAKEOVER, _CLIENT_NO_TAKEOVER)
_BITS = (_SERVER_BITS, _CLIENT_BITS)

# All four parameters with their values fit.
_SHOWN_CHARACTERS = 200

#: 7.1.2.1: a decimal integer without leading zeroes.
_WINDOW_BITS = pattern("[89]|1[0-5]")


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the opening handshake settled; "client" and "server" name who sends.

    A sender may keep to less than it is allowed; a receiver has to be ready for all of it.
    """

    client_context_takeover: bool = True
    server_context_takeover: bool = True
    client_max_window_bits: int = MAX_WINDOW_BITS
    server_max_window_bits: int = MAX_WINDOW_BITS


@lru_cache(maxsize=16)
def offer(deflate: Deflate) -> str:
    """The client's one offer, as text for the header. Most clients of a program make the same."""
    parameters: list[tuple[str, str | None]] = []
    if not deflate.server_context_takeover:
        parameters.append((_SERVER_NO_TAKEOVER, None))
    if not deflate.client_context_takeover:
        parameters.append((_CLIENT_NO_TAKEOVER, None))
    if deflate.server_max_window_bits < MAX_WINDOW_BITS:
        parameters.append((_SERVER_BITS, str(deflate.server_max_window_bits)))
    # 7.1.2.2: without it the server could not ask for a smaller window. Its value would be a hint,
    # and servers exist that refuse one they find too small: a smaller window needs no leave.
    parameters.append((_CLIENT_BITS, None))
    return str(Extension(NAME, tuple(parameters)))


def check_answer(deflate: Deflate | None, values: Iterable[str]) -> Agreement | None:
    """The client's check of the answer to `offer`; None: the server does without compression.

    ``values`` are the header's lines, ``deflate`` is None when nothing was offered. Raises
    `ValueError` where the connection has to be failed (RFC 6455 section 9.1, RFC 7692 7.1).
    """
    answered = parse_extensions(values)
    if not answered:
        return None
    if deflate is None:
        raise ValueError(f"expected no extension, since none was offered, got {_shown(answered)}")
    if len(answered) > 1 or answered[0].name != NAME:
        raise ValueError(
            f"expected {NAME} once, since nothing else was offered, got {_shown(answered)}"
        )
    given = _Parameters(answered[0])
    if _CLIENT_BITS in given and given.client_bits is None:
        raise ValueError(f"expected a value of {_CLIENT_BITS}, got none")
    # 7.1.1.1 and 7.1.2.1: what was asked of the server it has to grant. The rest it may add, and
    # what it adds about itself only makes its messages easier to read.
    if not deflate.server_context_takeover and _SERVER_NO_TAKEOVER not in given:
        raise ValueError(
            f"expected {_SERVER_NO_TAKEOVER}, which was asked for, got {_shown(answered)}"
        )
    asked_bits = deflate.server_max_window_bits
    if (MAX_WINDOW_BITS if given.server_bits is None else given.server_bits) > asked_bits:
        raise ValueError(
            f"expected {_SERVER_BITS} of {asked_bits} at most, which was asked for, "
            f"got {_shown(answered)}"
        )
    return Agreement(
        # The client's own restraint needs nobody's consent.
        client_context_takeover=deflate.client_context_takeover
        and _CLIENT_NO_TAKEOVER not in given,
        server_context_takeover=_SERVER_NO_TAKEOVER not in given,
        client_max_window_bits=_least(given.client_bits),
        server_max_window_bits=_least(given.server_bits),
    )


def answer(deflate: Deflate, values: Iterable[str]) -> tuple[str, Agreement] | None:
    """The server's answer to the first offer that it can take, and what is agreed on by it.

    ``values`` are the header's lines. None: there is no such offer, so nothing is answered (7:
    an offer with a fault in it is declined). Raises `ValueError` when they break the grammar.
    """
    for offered in parse_extensions(values):
        if offered.name != NAME:
            continue
        try:
            given = _Parameters(offered)
        except ValueError:
            continue
        return _answer(deflate, given)
    return None


def _answer(deflate: Deflate, given: _Parameters) -> tuple[str, Agreement]:
    client_bits = MAX_WINDOW_BITS
    if _CLIENT_BITS in given:
        # 7.1.2.2: only a client that names the parameter can be told to use a smaller window.
        client_bits = _least(given.client_bits, deflate.client_max_window_bits)
    agreement = Agreement(
        client_context_takeover=deflate.client_context_takeover
        and _CLIENT_NO_TAKEOVER not in given,
        server_context_takeover=deflate.server_context_takeover
        and _SERVER_NO_TAKEOVER not in given,
        client_max_window_bits=client_bits,
        server_max_window_bits=_least(given.server_bits, deflate.server_max_window_bits),
    )
    parameters: list[tuple[str, str | None]] = []
    if not agreement.server_context_takeover:
        parameters.append((_SERVER_NO_TAKEOVER, None))
    if not agreement.client_context_takeover:
        parameters.append((_CLIENT_NO_TAKEOVER, None))
    # A demand is answered also where it is for the whole window: no answer would be a refusal.
    if given.server_bits is not None or agreement.server_max_window_bits < MAX_WINDOW_BITS:
        parameters.append((_SERVER_BITS, str(agreement.server_max_window_bits)))
    if given.client_bits is not None or client_bits < MAX_WINDOW_BITS:
        parameters.append((_CLIENT_BITS, str(client_bits)))
    return str(Extension(NAME, tuple(parameters))), agreement


class _Parameters:
    """The parameters of one permessage-deflate element. Raises `ValueError` for any bad one.

    `client_bits` may lack its value, which only an offer may leave out.
    """

    def __init__(self, extension: Extension) -> None:
        self._names: set[str] = set()
        self.client_bits: int | None = None
        self.server_bits: int | None = None
        for name, value in extension.parameters:
            if name in self._names:
                raise ValueError(f"expected {name} once, got {_shown([extension])}")
            self._names.add(name)
            if name in _FLAGS:
                if value is not None:
                    raise ValueError(f"expected {name} without a value, got {_shown([extension])}")
            elif name == _SERVER_BITS:
                self.server_bits = _window_bits(name, value)
            elif name == _CLIENT_BITS:
                self.client_bits = None if value is None else _window_bits(name, value)
            else:
                known = ", ".join((*_FLAGS, *_BITS))
                raise ValueError(f"expected the parameters {known} only, got {_shown([extension])}")

    def __contains__(self, name: str) -> bool:
        return name in self._names


def _window_bits(name: str, value: str | None) -> int:
    if value is None or not _WINDOW_BITS.fullmatch(value):
        found = "none" if value is None else excerpt(value)
        raise ValueError(f"expected a value of {name} from 8 to 15, got {found}")
    return int(value)


def _least(given: int | None, own: int = MAX_WINDOW_BITS) -> int:
    return own if given is None else min(given, own)


def _shown(extensions: list[Extension]) -> str:
    text = ", ".join(map(str, extensions))
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
