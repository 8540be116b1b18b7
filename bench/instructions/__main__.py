"""Instructions for each hot path → compared with the budget; or, with --update, the new budget.

python -m bench.instructions             fails when a case takes 5 % more than its budget
python -m bench.instructions --update    what is counted now becomes the budget; commit it
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from os import sched_getaffinity

import tieline
from bench.instructions.budget import PATH, Verdict, environment, find, judge, store, stored
from bench.instructions.callgrind import CannotCount, count
from bench.instructions.cases import CASES, REFERENCE, Case
from bench.native_programs import CannotBuild, built
from bench.server import running_server
from bench.table import aligned

#: What seems too much is counted again: a stalled machine can only add to a count.
_TRIES = 3
_KNOWN = [case.name for case in CASES]
_UPDATE = "python -m bench.instructions --update"


def main(arguments: list[str] | None = None) -> int:
    """Count and compare; the exit status is 1 for a case over its budget, 2 for a failed count."""
    options = _parser().parse_args(arguments)
    cases = [
        case
        for case in CASES
        if case.name == REFERENCE or any(fnmatchcase(case.name, p) for p in options.cases)
    ]
    try:
        here = environment()
        if here["tieline"] != "compiled":
            raise CannotCount("this tieline is not compiled: run `make compiled`, and its Python")
        if options.update:
            return _update(cases, here)
        return _compare(cases, here)
    except (CannotCount, CannotBuild) as error:
        print(f"bench.instructions: {error}", file=sys.stderr)
        return 2


def _update(cases: list[Case], here: dict[str, str]) -> int:
    counts: dict[str, float] = {}
    for _ in range(_TRIES):
        for name, counted in _count(cases).items():
            counts[name] = min(counted, counts.get(name, counted))
    kept = next((budget.counts for budget in stored() if budget.environment == here), {})
    store({**{name: kept[name] for name in kept if name in _KNOWN}, **counts}, here)
    print("\n".join(aligned([[name, f"{counted:,.0f}"] for name, counted in counts.items()])))
    print(f"{PATH} is up to date: commit it.")
    return 0


def _compare(cases: list[Case], here: dict[str, str]) -> int:
    found = find(here, stored())
    counts = _count(cases)
    if found is None:
        print(f"There is no budget for {here['machine']}: run {_UPDATE} and commit {PATH.name}.")
        print("\n".join(aligned([[name, f"{counted:,.0f}"] for name, counted in counts.items()])))
        return 1
    budget, differences = found
    verdicts = judge(counts, budget, differences)
    for _ in range(_TRIES - 1):
        again = [case for case in cases if any(v.is_over and v.case == case.name for v in verdicts)]
        if not again:
            break
        for name, counted in _count(again).items():
            counts[name] = min(counts[name], counted)
        verdicts = judge(counts, budget, differences)
    print(f"tieline {tieline.__version__}: instructions for each time, and the budget")
    if differences:
        print(f"The budget is of another environment ({', '.join(differences)}). It is scaled by")
        print("what the interpreter takes here and there, and only gross changes are noticed;")
        print(f"{_UPDATE} makes one for this environment:")
        for name in differences:
            print(f"  {name}: {here.get(name)!r}, the budget's {budget.environment.get(name)!r}")
    print("\n".join(aligned([_row(verdict) for verdict in verdicts])))
    return _conclusion(verdicts)


def _conclusion(verdicts: list[Verdict]) -> int:
    over = [verdict for verdict in verdicts if verdict.is_over]
    if over:
        print(f"\nSlower than the budget: {_names(over)}.")
        print(f"If that is what it has to cost: {_UPDATE}, and say why in the commit.")
        return 1
    under = [verdict for verdict in verdicts if verdict.is_well_under]
    if under:
        print(f"\nFaster than the budget: {_names(under)}.")
        print(f"So that it stays so: {_UPDATE}")
    return 0


def _names(verdicts: Iterable[Verdict]) -> str:
    return ", ".join(f"{each.case} ({each.change:+.1%})" for each in verdicts)


def _row(verdict: Verdict) -> list[str]:
    if verdict.budget is None:
        return [verdict.case, f"{verdict.count:,.0f}", "-", "no budget yet"]
    return [
        verdict.case,
        f"{verdict.count:,.0f}",
        f"{verdict.budget:,.0f}",
        f"{verdict.change:+.1%}",
    ]


def _count(cases: list[Case]) -> dict[str, float]:
    """As many at a time as there are cores."""
    built("server")  # before there are several who want it
    with ThreadPoolExecutor(len(sched_getaffinity(0))) as pool:
        counts = pool.map(_counted, cases)
        return {case.name: counted for case, counted in zip(cases, counts, strict=True)}


def _counted(case: Case) -> float:
    """With a server of its own, which serves a few at a time: no case waits for another one's."""
    with running_server() as server:
        return count(case, server.port)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.instructions",
        description="Count the instructions of the hot paths, and compare them with the budget.",
    )
    parser.add_argument("cases", nargs="*", default=["*"], metavar="PATTERN")
    parser.add_argument("--update", action="store_true", help="make what is counted now the budget")
    return parser


if __name__ == "__main__":
    sys.exit(main())
