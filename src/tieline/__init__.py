"""tieline: a WebSocket client that keeps the line up and calls you.

    import tieline

    client = tieline.WebSocketClient(print, "wss://example.com/feed")
    client.connect()
    client.send("hello")

Names are loaded at first use (PEP 562), so that importing one part does not load the others.
"""

from __future__ import annotations

import sys

from tieline._version import __version__

TYPE_CHECKING = False  # type checkers know better

if TYPE_CHECKING:
    from tieline import aio as aio
    from tieline.auth import Basic as Basic
    from tieline.auth import Bearer as Bearer
    from tieline.auth import Challenge as Challenge
    from tieline.auth import Digest as Digest
    from tieline.client import WebSocketClient as WebSocketClient
    from tieline.compression import Deflate as Deflate
    from tieline.engine.handlers import FrameAction as FrameAction
    from tieline.engine.pings import PingWaiter as PingWaiter
    from tieline.engine.receipts import Receipt as Receipt
    from tieline.engine.shared_reactor import Reactor as Reactor
    from tieline.engine.stats import Stats as Stats
    from tieline.engine.streams import MessageStream as MessageStream
    from tieline.engine.subscriptions import Subscription as Subscription
    from tieline.errors import ConnectCancelled as ConnectCancelled
    from tieline.errors import ConnectError as ConnectError
    from tieline.errors import ConnectionClosed as ConnectionClosed
    from tieline.errors import ConnectTimeout as ConnectTimeout
    from tieline.errors import HandshakeError as HandshakeError
    from tieline.errors import MessageTooBig as MessageTooBig
    from tieline.errors import OptionError as OptionError
    from tieline.errors import ProtocolError as ProtocolError
    from tieline.errors import ProxyError as ProxyError
    from tieline.errors import ResolveError as ResolveError
    from tieline.errors import SendBufferFull as SendBufferFull
    from tieline.errors import SendTimeout as SendTimeout
    from tieline.errors import TLSError as TLSError
    from tieline.errors import TooManyRedirects as TooManyRedirects
    from tieline.errors import WebSocketError as WebSocketError
    from tieline.explaining import explain as explain
    from tieline.explaining.explanation import Explanation as Explanation
    from tieline.options import Options as Options
    from tieline.protocol.events import Close as Close
    from tieline.protocol.events import CloseInfo as CloseInfo
    from tieline.protocol.events import Frame as Frame
    from tieline.protocol.handshake import HandshakeResponse as HandshakeResponse
    from tieline.protocol.state import State as State
    from tieline.protocol.wire import CloseCode as CloseCode
    from tieline.protocol.wire import Opcode as Opcode
    from tieline.reconnect import Reconnect as Reconnect
    from tieline.reconnect import ReconnectAttempt as ReconnectAttempt
    from tieline.sync import Connection as Connection
    from tieline.sync import connect as connect

_HOME = {
    "Basic": "auth",
    "Bearer": "auth",
    "Challenge": "auth",
    "Close": "protocol.events",
    "CloseCode": "protocol.wire",
    "CloseInfo": "protocol.events",
    "ConnectCancelled": "errors",
    "ConnectError": "errors",
    "ConnectTimeout": "errors",
    "Connection": "sync",
    "ConnectionClosed": "errors",
    "Deflate": "compression",
    "Digest": "auth",
    "Explanation": "explaining.explanation",
    "Frame": "protocol.events",
    "FrameAction": "engine.handlers",
    "HandshakeError": "errors",
    "HandshakeResponse": "protocol.handshake",
    "MessageStream": "engine.streams",
    "MessageTooBig": "errors",
    "Opcode": "protocol.wire",
    "OptionError": "errors",
    "Options": "options",
    "PingWaiter": "engine.pings",
    "ProtocolError": "errors",
    "ProxyError": "errors",
    "Reactor": "engine.shared_reactor",
    "Receipt": "engine.receipts",
    "Reconnect": "reconnect",
    "ReconnectAttempt": "reconnect",
    "ResolveError": "errors",
    "SendBufferFull": "errors",
    "SendTimeout": "errors",
    "State": "protocol.state",
    "Stats": "engine.stats",
    "Subscription": "engine.subscriptions",
    "TLSError": "errors",
    "TooManyRedirects": "errors",
    "WebSocketClient": "client",
    "WebSocketError": "errors",
    "connect": "sync",
    "explain": "explaining",
}

#: Submodules that are part of the interface, loaded at first use as well.
_MODULES = ("aio",)

__all__ = ["__version__", "aio", *_HOME]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return _module(name)
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'tieline' has no attribute {name!r}")
    value = getattr(_module(home), name)
    globals()[name] = value
    return value


def _module(name: str) -> object:
    # `importlib` is a module that few programs have loaded.
    __import__(f"tieline.{name}")
    return sys.modules[f"tieline.{name}"]


def __dir__() -> list[str]:
    return sorted(__all__)
