"""Memory for ciphertext: a thread's own."""

from __future__ import annotations

import threading

from tieline.transport.scratch import SIZE, ciphertext


def test_each_thread_has_its_own_and_keeps_it():
    others = []
    thread = threading.Thread(target=lambda: others.append(ciphertext.memory))
    thread.start()
    thread.join()
    mine = ciphertext.memory
    assert len(mine) == len(others[0]) == SIZE
    assert ciphertext.memory is mine is not others[0]
