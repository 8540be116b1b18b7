"""A case → instructions for each time it is done, counted by valgrind's callgrind."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from bench.contestants import ROOT
from bench.instructions.cases import Case
from bench.instructions.process import ROUNDS

#: Seconds for one case.
_PATIENCE = 400


class CannotCount(RuntimeError):
    """Says what is missing, or what went wrong."""


def count(case: Case, port: int) -> float:
    """Instructions of user space for each time the case's work is done.

    The difference of two runs, so what a run costs once is in neither. The counts do not depend on
    the time that passes, and the rest is held still: the seed of hashes, the addresses, the
    environment. What another thread does in between, or because something came late, can only add,
    so it is the least of several rounds that counts.
    """
    if shutil.which("valgrind") is None:
        raise CannotCount("valgrind is missing (Debian and Ubuntu: apt-get install valgrind)")
    with tempfile.TemporaryDirectory(prefix="tieline-instructions-") as folder:
        out = Path(folder, "out")
        command = [
            *_fixed_addresses(),
            # The server goes first whenever it has something to do: its answer is always there
            # when the client looks for it.
            *("nice", "-n", "3"),
            "valgrind",
            "--tool=callgrind",
            f"--callgrind-out-file={out}",
            "--instr-atstart=no",
            sys.executable,
            *("-m", "bench.instructions.process"),
            *(case.name, str(port), str(case.fewer), str(case.more)),
        ]
        environment = {"PATH": os.defpath, "HOME": folder, "LC_ALL": "C.UTF-8"}
        environment |= {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                timeout=_PATIENCE,
            )
        except subprocess.TimeoutExpired:
            raise CannotCount(f"{case.name}: not done after {_PATIENCE} s") from None
        if done.returncode:
            told = [line for line in done.stderr.splitlines() if line[:2] not in ("==", "--")]
            raise CannotCount(f"{case.name}: {(told or ['no message'])[-1]}")
        # One file for each mark.
        totals = [_total(Path(f"{out}.{number}")) for number in range(1, 2 * ROUNDS + 1)]
    return (min(totals[1::2]) - min(totals[::2])) / (case.more - case.fewer)


def valgrind_version() -> str:
    try:
        done = subprocess.run(["valgrind", "--version"], capture_output=True, text=True)
    except OSError:
        raise CannotCount(
            "valgrind is missing (Debian and Ubuntu: apt-get install valgrind)"
        ) from None
    return done.stdout.strip()


def _total(dump: Path) -> int:
    if not dump.exists():
        raise CannotCount(f"callgrind wrote no {dump.name}: the marks were not met")
    found = re.search(r"^totals: (\d+)", dump.read_text(), re.MULTILINE)
    if found is None:
        raise CannotCount(f"{dump.name} has no totals")
    return int(found[1])


@cache
def _fixed_addresses() -> tuple[str, ...]:
    """Tables are ordered by addresses here and there; not everywhere may they be held still."""
    command = ("setarch", "-R")
    try:
        done = subprocess.run([*command, "true"], capture_output=True)
    except OSError:
        return ()
    return command if done.returncode == 0 else ()
