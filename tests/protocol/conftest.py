"""The core's fixtures: both implementations, both roles, two connections back to back."""

from __future__ import annotations

import pytest

from tests.protocol.implementations import IMPLEMENTATIONS, Implementation
from tests.protocol.pair import ConnectedPair, Side, opened


@pytest.fixture(params=IMPLEMENTATIONS, ids=str)
def implementation(request: pytest.FixtureRequest) -> Implementation:
    """The modules that exist as source and compiled, once each."""
    return request.param


@pytest.fixture(params=["client", "server"])
def role(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def side(role: str) -> Side:
    """One side of an open connection, whose peer is the test; once for each role."""
    return opened(role)


@pytest.fixture
def connected_pair(role: str) -> ConnectedPair:
    """Two open connections back to back, `near` once the client and once the server."""
    pair = ConnectedPair(role)
    pair.forget()
    return pair
