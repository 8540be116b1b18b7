"""What first bytes look like. In errors of real dials: every_front/test_hostile_servers.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hostile_answers import NO_HTTP
from tieline.not_http import looks_like


@pytest.mark.parametrize(("raw", "said"), NO_HTTP.values(), ids=NO_HTTP)
def test_what_is_known_is_named(raw, said):
    likeness = looks_like(raw[:65])
    assert likeness.startswith("; it looks like ") or "got" in said
    if "got" not in said:
        assert said.removeprefix("it looks like ") in likeness


@given(st.binary(max_size=70))
def test_any_bytes_look_like_something_or_nothing(raw):
    assert isinstance(looks_like(raw), str)


@pytest.mark.parametrize("raw", [b"", b"H", b"HTTP/1.1 200 OK", b"hello", b"\x15", b"\x15\x04"])
def test_what_is_not_known(raw):
    assert looks_like(raw) == ""
