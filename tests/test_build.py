"""setup.py and pyproject.toml → wheels: compiled, pure on request, pure when nothing compiles."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import tieline

ROOT = Path(__file__).parent.parent
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text())

#: A program that fails at once, whatever it is asked to compile.
BROKEN_COMPILER = "/bin/false"

needs_false = pytest.mark.skipif(
    not Path(BROKEN_COMPILER).exists(), reason=f"no {BROKEN_COMPILER} to stand for a compiler"
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what a build reads, so that no build writes into the repository."""
    copy = tmp_path / "tree"
    shutil.copytree(
        ROOT / "src",
        copy / "src",
        ignore=shutil.ignore_patterns("*.so", "*.egg-info", "__pycache__"),
    )
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    return copy


def build(tree: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """A wheel in `tree`/dist, built with the environment variables `settings`."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TIELINE_", "COVERAGE_", "CFLAGS"))
    }
    return subprocess.run(
        [sys.executable, "setup.py", "--quiet", "bdist_wheel"],
        cwd=tree,
        env=environment | settings,
        capture_output=True,
        text=True,
        timeout=55,
    )


def contents(tree: Path) -> set[str]:
    (wheel,) = (tree / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if name.startswith("tieline/")}


def sources(tree: Path) -> set[str]:
    source = tree / "src"
    return {
        path.relative_to(source).as_posix()
        for path in (source / "tieline").rglob("*")
        if path.suffix in (".py", ".pyi") or path.name == "py.typed"
    }


@pytest.mark.slow
def test_pure_wheel_holds_the_python_sources_and_nothing_else(tree: Path) -> None:
    run = build(tree, TIELINE_PURE="1")

    assert run.returncode == 0, run.stderr
    assert contents(tree) == sources(tree)
    assert [wheel.name for wheel in (tree / "dist").iterdir()] == [
        f"tieline-{tieline.__version__}-py3-none-any.whl"
    ]


@needs_false
@pytest.mark.slow
def test_without_a_compiler_the_wheel_is_pure_and_the_build_says_why(tree: Path) -> None:
    run = build(tree, CC=BROKEN_COMPILER)

    assert run.returncode == 0, run.stderr
    assert contents(tree) == sources(tree)
    assert "tieline build: pure, because: " in run.stderr
    assert BROKEN_COMPILER in run.stderr


@pytest.mark.slow
def test_without_cython_the_wheel_is_pure_and_the_build_says_why(tree: Path) -> None:
    # Python looks beside setup.py first: there this Cython hides the installed one.
    (tree / "Cython.py").write_text("raise ImportError('this Cython cannot run')\n")

    run = build(tree)

    assert run.returncode == 0, run.stderr
    assert contents(tree) == sources(tree)
    assert "tieline build: pure, because: this Cython cannot run" in run.stderr


@needs_false
@pytest.mark.slow
def test_required_compilation_that_fails_is_an_error(tree: Path) -> None:
    run = build(tree, CC=BROKEN_COMPILER, TIELINE_REQUIRE_COMPILED="1")

    assert run.returncode != 0
    assert "tieline build: not compiled, because: " in run.stderr
    assert not (tree / "dist").exists()


def test_pure_and_required_exclude_each_other(tree: Path) -> None:
    run = build(tree, TIELINE_PURE="1", TIELINE_REQUIRE_COMPILED="1")

    assert run.returncode != 0
    assert "TIELINE_PURE and TIELINE_REQUIRE_COMPILED exclude each other" in run.stderr


def test_isolated_and_shared_builds_use_the_same_tools() -> None:
    assert CONFIGURATION["build-system"]["requires"] == CONFIGURATION["dependency-groups"]["build"]


def test_version_is_written_once() -> None:
    assert CONFIGURATION["project"]["dynamic"] == ["version"]
    assert importlib.metadata.version("tieline") == tieline.__version__
