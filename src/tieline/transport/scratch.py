"""A thread → the memory in which its TLS streams read ciphertext."""

from __future__ import annotations

import threading

#: Read from the stream below TLS at once: 8 full records, which make the cost of a call vanish. A
#: session keeps room for as much as it was ever handed, so more would cost each connection memory.
SIZE = 128 * 1024


class Scratch(threading.local):
    """Ciphertext on its way to a session: one buffer per thread, not one per stream."""

    def __init__(self) -> None:
        self.memory = memoryview(bytearray(SIZE))


ciphertext = Scratch()
