"""Tests of programs that use tieline → tests without a network, without threads, without waiting."""

from __future__ import annotations

from tieline.testing.echo_connection import EchoConnection as EchoConnection
from tieline.testing.echo_server import EchoServer as EchoServer

__all__ = ["EchoConnection", "EchoServer"]
