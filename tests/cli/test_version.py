"""What `tieline --version` says."""

from __future__ import annotations

import platform
import re
import zlib
from importlib.metadata import version

import pytest

import tieline
from tieline.cli import main
from tieline.cli import version as module
from tieline.implementation import implementation
from tieline.protocol.deflate_backend import Backend


def test_version_names_the_build_and_what_it_stands_on(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert main(["--version"]) == 0

    out, err = capfd.readouterr()
    assert err == ""
    assert re.fullmatch(
        rf"tieline {re.escape(tieline.__version__)} \({implementation()}\), "
        rf"\w+ {re.escape(platform.python_version())}, \w+SSL [\w.]+, h11 [\d.]+, "
        r"(zlib-ng|isal|zlib) [\d.]+\n",
        out,
    )


@pytest.mark.parametrize(
    ("inflates", "deflates", "said"),
    [
        ("zlib", "zlib", f"zlib {zlib.ZLIB_RUNTIME_VERSION}"),
        ("isal", "zlib", f"inflate by isal {version('isal')}, deflate by zlib "),
    ],
)
def test_version_names_who_compresses(
    monkeypatch: pytest.MonkeyPatch, inflates: str, deflates: str, said: str
) -> None:
    monkeypatch.setattr(module, "inflate_backend", lambda: Backend(inflates, None))
    monkeypatch.setattr(module, "deflate_backend", lambda level: Backend(deflates, None))
    assert said in module.version_line()
