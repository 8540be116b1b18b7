"""The words of a shell → the `tieline` command, on the standard library alone.

Importing this loads nothing further: a command loads what it needs, and ``--version`` is quick.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(words: Sequence[str] | None = None) -> int:
    """Run the command (default: the words of this process) and return its exit status.

    For the main thread of a process: it takes SIGTERM and SIGHUP to end orderly.
    """
    try:
        from tieline.cli.program import run

        return run(words)
    except KeyboardInterrupt:
        return 130  # pressed before the command had begun
