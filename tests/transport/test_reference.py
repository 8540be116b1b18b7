"""The examples of RFC 3986 section 5.4, as far as they are about paths and queries."""

from __future__ import annotations

import time

import pytest

from tieline.transport.reference import remove_dot_segments, resolve

BASE = "/b/c/d;p?q"


@pytest.mark.parametrize(
    "reference, expected",
    [
        # 5.4.1
        ("g", "/b/c/g"),
        ("./g", "/b/c/g"),
        ("g/", "/b/c/g/"),
        ("/g", "/g"),
        ("?y", "/b/c/d;p?y"),
        ("g?y", "/b/c/g?y"),
        (";x", "/b/c/;x"),
        ("g;x", "/b/c/g;x"),
        ("g;x?y", "/b/c/g;x?y"),
        ("", "/b/c/d;p?q"),
        ("?", "/b/c/d;p?"),
        (".", "/b/c/"),
        ("./", "/b/c/"),
        ("..", "/b/"),
        ("../", "/b/"),
        ("../g", "/b/g"),
        ("../..", "/"),
        ("../../", "/"),
        ("../../g", "/g"),
        # 5.4.2
        ("../../../g", "/g"),
        ("../../../../g", "/g"),
        ("/./g", "/g"),
        ("/../g", "/g"),
        ("g.", "/b/c/g."),
        (".g", "/b/c/.g"),
        ("g..", "/b/c/g.."),
        ("..g", "/b/c/..g"),
        ("./../g", "/b/g"),
        ("./g/.", "/b/c/g/"),
        ("g/./h", "/b/c/g/h"),
        ("g/../h", "/b/c/h"),
        ("g;x=1/./y", "/b/c/g;x=1/y"),
        ("g;x=1/../y", "/b/c/y"),
        ("g?y/./x", "/b/c/g?y/./x"),
        ("g?y/../x", "/b/c/g?y/../x"),
        # Empty segments are segments.
        ("a//b", "/b/c/a//b"),
        ("a//../b", "/b/c/a/b"),
    ],
)
def test_the_examples(reference: str, expected: str) -> None:
    path, mark, query = reference.partition("?")
    path, found = resolve(BASE, path, query if mark else None)
    assert path + ("" if found is None else f"?{found}") == expected


def test_a_base_with_empty_segments() -> None:
    assert resolve("/x//y", "z", None) == ("/x//z", None)
    assert resolve("/x//y?", "", None) == ("/x//y", "")
    assert resolve("/", "", None) == ("/", None)


def test_a_long_way_up_takes_no_time() -> None:
    begun = time.process_time()
    assert remove_dot_segments("/a" * 50_000 + "/.." * 50_001 + "/b") == "/b"
    assert time.process_time() - begun < 1.0
