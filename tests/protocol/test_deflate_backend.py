"""Who compresses and decompresses depends on what is installed, and on nothing else."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator

import pytest

from tests.builds import compiled_only
from tieline.protocol import deflate_backend as module
from tieline.protocol.deflate_backend import (
    deflate_backend,
    inflate_backend,
    installed_backends,
)


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """As if what it is given were not installed."""
    caches = (inflate_backend, deflate_backend, installed_backends)
    for cache in caches:
        cache.cache_clear()
    yield monkeypatch
    for cache in caches:
        cache.cache_clear()


def test_the_standard_library_is_always_there(without: pytest.MonkeyPatch) -> None:
    for package in ("zlib_ng.zlib_ng", "isal.isal_zlib"):
        without.setitem(sys.modules, package, None)
    assert [backend.name for backend in installed_backends()] == ["zlib"]
    assert inflate_backend().module.error is zlib.error
    assert {deflate_backend(level).name for level in range(10)} == {"zlib"}


def test_the_module_where_zlib_was_not_built_in(without: pytest.MonkeyPatch) -> None:
    for package in ("zlib_ng.zlib_ng", "isal.isal_zlib", "tieline.protocol._zlib"):
        without.setitem(sys.modules, package, None)
    assert installed_backends() == (module.Backend("zlib", zlib),)


@compiled_only
def test_zlib_ng_is_called_from_c(without: pytest.MonkeyPatch) -> None:
    """Unless its functions cannot be found: then the module is called."""
    in_c = pytest.importorskip("tieline.protocol._zlib", exc_type=ImportError)
    zlib_ng = pytest.importorskip("zlib_ng.zlib_ng")
    called = inflate_backend().module
    if called is zlib_ng:
        pytest.skip("this build of zlib_ng hides the functions of the library")
    assert isinstance(called, in_c.Face)
    assert called.error is zlib_ng.error
    assert called.inflater_class is in_c.inflater_class
    assert deflate_backend(6).module is called
    without.setitem(sys.modules, "tieline.protocol._zlib", None)
    for cache in (inflate_backend, deflate_backend, installed_backends):
        cache.cache_clear()
    assert inflate_backend().module is deflate_backend(6).module is zlib_ng


def test_the_order(without: pytest.MonkeyPatch) -> None:
    modules = {"zlib_ng.zlib_ng": object(), "isal.isal_zlib": object()}
    for package, stand_in in modules.items():
        without.setitem(sys.modules, package, stand_in)
        without.setitem(sys.modules, package.partition(".")[0], object())
    assert [backend.name for backend in installed_backends()] == ["zlib-ng", "isal", "zlib"]
    assert inflate_backend().name == "zlib-ng"
    assert deflate_backend(1).name == "zlib-ng"
    without.setitem(module._MODULES, "zlib-ng", ("not_installed_here",))
    installed_backends.cache_clear()
    inflate_backend.cache_clear()
    deflate_backend.cache_clear()
    assert inflate_backend().name == "isal"
    assert [deflate_backend(level).name for level in (0, 1, 3, 4)] == [
        "zlib",
        "isal",
        "isal",
        "zlib",
    ]


@pytest.mark.parametrize("inflating", installed_backends(), ids=lambda each: each.name)
@pytest.mark.parametrize("deflating", installed_backends(), ids=lambda each: each.name)
def test_each_understands_the_others(inflating: module.Backend, deflating: module.Backend) -> None:
    message = b"abcdefgh" * 50
    deflate, inflate = deflating.module.compressobj(1, zlib.DEFLATED, -12, 5), inflating.module
    context = inflate.decompressobj(-12)
    for _ in range(3):
        payload = deflate.compress(message) + deflate.flush(zlib.Z_SYNC_FLUSH)
        assert context.decompress(payload, 1000) == message
