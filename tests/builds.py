"""Which build is tested → marks for what only one of them has."""

from __future__ import annotations

import pytest

from tieline.implementation import implementation

IS_COMPILED = implementation() == "compiled"

#: Reaches into an object of a module that may be compiled: there is nothing to reach into then.
reaches_inside = pytest.mark.skipif(IS_COMPILED, reason="compiled objects cannot be reached into")

#: About the short way, which is C.
compiled_only = pytest.mark.skipif(not IS_COMPILED, reason="the pure build has no short way")
