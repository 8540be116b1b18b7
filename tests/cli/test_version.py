"""What `tieline --version` says."""

from __future__ import annotations

import platform
import re

import pytest

import tieline
from tieline.cli import main
from tieline.implementation import implementation


def test_version_names_the_build_and_what_it_stands_on(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert main(["--version"]) == 0

    out, err = capfd.readouterr()
    assert err == ""
    assert re.fullmatch(
        rf"tieline {re.escape(tieline.__version__)} \({implementation()}\), "
        rf"\w+ {re.escape(platform.python_version())}, \w+SSL [\w.]+, h11 [\d.]+\n",
        out,
    )
