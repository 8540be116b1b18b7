"""Which build of the core is loaded."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from tieline.implementation import implementation
from tieline.protocol import masking


def test_says_what_is_loaded() -> None:
    spec = find_spec("tieline.protocol.decoder")
    assert spec is not None and spec.origin is not None

    assert implementation() == ("pure" if spec.origin.endswith(".py") else "compiled")


def test_masks_made_by_python_are_not_called_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "apply_mask", masking._apply_mask)

    assert implementation() == "pure"
