"""What has zlib-ng in it, and what has not."""

from __future__ import annotations

import zlib
from pathlib import Path
from types import ModuleType

import pytest

from tests.builds import compiled_only

library = pytest.importorskip(
    "tieline.protocol._deflate_library",
    reason="pure, or built without zlib's headers",
    exc_type=ImportError,
)
pytestmark = compiled_only


def module_at(place: str | None) -> ModuleType:
    module = ModuleType("like_zlib_ng")
    module.error = ValueError  # type: ignore[attr-defined]
    module.__file__ = place
    return module


def test_zlib_itself() -> None:
    assert library.Library().error is zlib.error


def test_the_one_of_zlib_ng_raises_what_its_module_does() -> None:
    module = pytest.importorskip("zlib_ng.zlib_ng")
    found = library.zlib_ng_of(module)
    if found is None:
        pytest.skip("this build of zlib_ng hides the functions of the library")
    assert found.error is module.error


def test_elsewhere_there_is_none(tmp_path: Path) -> None:
    in_zlib = getattr(zlib, "__file__", None)
    places = [None, "", "/none/at/all.so", __file__, library.__file__, in_zlib, "\udcff.so"]
    assert [library.zlib_ng_of(module_at(place)) for place in places] == [None] * len(places)
    assert library.zlib_ng_of(object()) is None
