"""Counts of instructions → compared with the ones that are stored for the same environment."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sysconfig
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from bench.instructions.callgrind import valgrind_version
from bench.instructions.cases import REFERENCE
from tieline.protocol import decoder
from tieline.protocol.deflate_backend import installed_backends

PATH = Path(__file__).parent / "budget.json"
#: A case that takes more than its budget by this share has become slower.
TOLERANCE = 0.05
#: The same where the budget was counted in another environment.
LOOSE_TOLERANCE = 0.3


def environment() -> dict[str, str]:
    """What the counts depend on."""
    compiler = os.environ.get("CC", "cc").split()
    version = subprocess.run([*compiler, "--version"], capture_output=True, text=True).stdout
    compiled = not str(decoder.__file__).endswith(".py")
    return {
        "machine": platform.machine(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "python's compiler": platform.python_compiler(),
        "python's options": " ".join(_options()),
        "compiler": version.partition("\n")[0],
        "flags": " ".join(word for word in _flags() if not word.startswith("-W")),
        "C library": " ".join(platform.libc_ver()),
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
        "deflate": ", ".join(backend.name for backend in installed_backends()),
        "valgrind": valgrind_version(),
        "tieline": "compiled" if compiled else "pure",
    }


def _flags() -> list[str]:
    return os.environ.get("CFLAGS", "").split()


def _options() -> list[str]:
    """How this Python was configured, without the paths of a machine."""
    words = shlex.split(sysconfig.get_config_var("CONFIG_ARGS") or "")
    telling = ("--enable-", "--disable-", "--with-", "--without-")
    return sorted(word for word in words if word.startswith(telling) and "/" not in word)


@dataclass
class Budget:
    """What each case may take, and where that was counted."""

    environment: dict[str, str] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """One case: what it takes, what it may take, and whether that is all right."""

    case: str
    count: float
    #: None: a new case.
    budget: float | None
    tolerance: float

    @property
    def change(self) -> float:
        return self.count / self.budget - 1 if self.budget else 0.0

    @property
    def is_over(self) -> bool:
        return self.budget is None or self.change >= self.tolerance

    @property
    def is_well_under(self) -> bool:
        return self.change <= -self.tolerance


def stored(path: Path = PATH) -> list[Budget]:
    """One budget for each environment that was counted in."""
    if not path.exists():
        return []
    return [Budget(**entry) for entry in json.loads(path.read_text())["budgets"]]


def store(counts: dict[str, float], here: dict[str, str], path: Path = PATH) -> None:
    """Make them the budget of this environment; those of others stay."""
    kept = [budget for budget in stored(path) if budget.environment != here]
    kept.append(Budget(here, {name: round(count, 1) for name, count in counts.items()}))
    content = {"budgets": [vars(budget) for budget in kept]}
    path.write_text(json.dumps(content, indent=1) + "\n")


def find(here: dict[str, str], budgets: list[Budget]) -> tuple[Budget, list[str]] | None:
    """The budget that says most about this environment, and what is different there."""

    def differences(budget: Budget) -> list[str]:
        names = budget.environment.keys() | here.keys()
        return sorted(n for n in names if budget.environment.get(n) != here.get(n))

    comparable = [
        budget
        for budget in budgets
        if budget.environment.get("machine") == here["machine"]
        and budget.environment.get("tieline") == here["tieline"]
    ]
    if not comparable:
        return None
    nearest = min(comparable, key=lambda budget: len(differences(budget)))
    return nearest, differences(nearest)


def judge(counts: dict[str, float], budget: Budget, differences: list[str]) -> list[Verdict]:
    """Compare case by case.

    In another environment, a budget is first scaled by what the interpreter itself takes in both:
    how Python was compiled is most of the difference. The rest makes the tolerance loose.
    """
    scale, tolerance = 1.0, TOLERANCE
    if differences:
        scale = counts[REFERENCE] / budget.counts[REFERENCE]
        tolerance = LOOSE_TOLERANCE
    verdicts = []
    for case, count in counts.items():
        allowed = budget.counts.get(case)
        scaled = None if allowed is None else allowed * scale
        verdicts.append(Verdict(case, count, scaled, tolerance))
    return verdicts
