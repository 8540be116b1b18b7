"""Servers, streams, clocks and recorders → tests of programs that use tieline, quick and exact."""

from __future__ import annotations

from tieline.testing import faults
from tieline.testing.clock import ManualClock
from tieline.testing.echo_connection import EchoConnection
from tieline.testing.echo_server import EchoServer
from tieline.testing.fault_proxy import FaultProxy
from tieline.testing.frames import close_payload, deflate_payload, frame_bytes
from tieline.testing.memory import MemoryStream, memory_streams
from tieline.testing.memory_client import open_client
from tieline.testing.memory_peer import MemoryPeer
from tieline.testing.proxied_connection import ProxiedConnection
from tieline.testing.recorder import ANYTHING, Record, Recorder
from tieline.testing.scripted_peer import ScriptedPeer
from tieline.testing.scripted_server import ScriptedServer
from tieline.testing.step_reactor import StepReactor

__all__ = [
    "ANYTHING",
    "EchoConnection",
    "EchoServer",
    "FaultProxy",
    "ManualClock",
    "MemoryPeer",
    "MemoryStream",
    "ProxiedConnection",
    "Record",
    "Recorder",
    "ScriptedPeer",
    "ScriptedServer",
    "StepReactor",
    "close_payload",
    "deflate_payload",
    "faults",
    "frame_bytes",
    "memory_streams",
    "open_client",
]
