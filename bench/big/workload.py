"""What the big message consists of."""

from __future__ import annotations

from bench.deflate.feed import feed

#: 256 KiB of printable ASCII, so that it may be text or not.
PIECE = "".join(feed(300))[: 1 << 18].encode()
