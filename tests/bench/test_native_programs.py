"""C sources → programs, or what is missing and how to get it."""

from __future__ import annotations

import sys

import pytest

from bench.native_programs import CannotBuild, built

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmark needs Linux")


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    built.cache_clear()


def test_a_program_is_built_once(native: None) -> None:
    first = built("probe")
    written = first.stat().st_mtime_ns
    built.cache_clear()
    assert built("probe") == first and first.stat().st_mtime_ns == written


def test_without_a_compiler_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(CannotBuild, match="'no-such-compiler' found.*apt-get install gcc"):
        built("server")


def test_a_compiler_that_fails_is_quoted(native: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "cc -include no/such/header.h")
    with pytest.raises(CannotBuild, match="no/such/header.h(?s:.*)libssl-dev"):
        built("server")
