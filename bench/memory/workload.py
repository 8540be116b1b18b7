"""How much goes over each connection before its memory is looked at."""

from __future__ import annotations

#: Bytes of a message of the feed.
SIZE = 4096
#: Messages each way after which all windows and tables are full: 128 KiB.
MANY = 32
#: What is open, and what has gone each way over each connection, by the name of the moment.
MOMENTS = ("opened", "one message", "many messages")
