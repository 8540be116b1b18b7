"""A size in bytes → messages as market data feeds send them: one shape, ever new values."""

from __future__ import annotations

import json
import random
from functools import cache

#: Characters of all messages of a feed. They are sent round and round: what comes again is farther
#: away than any window reaches.
_FEED_SIZE = 1 << 20
_SYMBOLS = ("BTC-USDT", "ETH-USDT", "SOL-EUR", "XRP-USDC", "ADA-BTC", "DOGE-EUR", "LTC-ETH")


@cache
def feed(size: int) -> tuple[str, ...]:
    """About 1 MiB of JSON messages of about `size` bytes each, the same ones in every process.

    Up to 300 bytes they are best bid and offer with statistics of the day, above that the same with
    as many levels of an order book as there is room for.
    """
    draw = random.Random(size)
    prices = {symbol: draw.uniform(0.1, 70_000) for symbol in _SYMBOLS}
    messages = []
    for sequence in range(_FEED_SIZE // size):
        symbol = draw.choice(_SYMBOLS)
        prices[symbol] *= 1 + draw.gauss(0, 0.0004)
        messages.append(_message(draw, size, sequence, symbol, prices[symbol]))
    return tuple(messages)


def _message(draw: random.Random, size: int, sequence: int, symbol: str, price: float) -> str:
    moment = 1_763_900_000_000 + sequence * 7 + draw.randrange(7)
    values: dict[str, object] = {
        "type": "update",
        "exchange": "tieline",
        "channel": "market.depth.incremental",
        "symbol": symbol,
        "sequence": 48_211_930_000 + sequence,
        "timestamp": moment,
        "received": moment + draw.randrange(1, 40),
        "last": _number(price),
        "change": f"{draw.gauss(0, 3):+.2f}",
        "volume": _number(draw.expovariate(1 / 9_000)),
        "trades": draw.randrange(1_000, 90_000),
    }
    bids: list[list[str]] = []
    asks: list[list[str]] = []
    length = len(_json(values | {"bids": bids, "asks": asks}))
    while not bids or length < size - 20:
        distance = (len(bids) + 1) * 0.00011
        for side, place in ((bids, 1 - distance), (asks, 1 + distance)):
            side.append([_number(price * place), f"{draw.expovariate(1 / 4):.5f}"])
            length += len(_json(side[-1])) + 1
    return _json(values | {"bids": bids, "asks": asks})


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _number(value: float) -> str:
    """As exchanges write it: digits enough for cheap coins too."""
    return f"{value:.2f}" if value >= 100 else f"{value:.6f}"


@cache
def piece() -> bytes:
    """256 KiB of printable ASCII, of which big messages consist."""
    return "".join(feed(300))[: 1 << 18].encode()
