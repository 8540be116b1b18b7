"""A thread → the memory in which its TLS streams read ciphertext."""

from __future__ import annotations

import threading

#: Read from the stream below TLS at once: 16 full records. Half of it costs as little on a thread,
#: but an event loop has one turn for each read.
SIZE = 256 * 1024


class Scratch(threading.local):
    """Ciphertext on its way to a session: one buffer per thread, not one per stream.

    Who uses `memory` takes it from `spares` if a signal handler may read on top, and puts it back.
    """

    def __init__(self) -> None:
        self.memory = memoryview(bytearray(SIZE))
        self.spares = [self.memory]


ciphertext = Scratch()
