"""What a connection is told about limits and times."""

from __future__ import annotations

from dataclasses import dataclass, field

from tieline.compression import Deflate
from tieline.headers import HeadLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Times in seconds, sizes in bytes; None = no limit, or off."""

    max_message_size: int | None = 64 * 1024 * 1024
    max_fragments: int | None = 131072
    ping_interval: float | None = 20.0
    ping_timeout: float | None = 20.0
    heartbeat_interval: float | None = None
    close_timeout: float | None = 10.0
    decode_text: bool = True
    #: Hand out every received frame before it is processed (`FrameReceived`).
    inspect_frames: bool = False
    #: What permessage-deflate may be agreed on; None: it is neither offered nor accepted.
    compression: Deflate | None = None
    head_limits: HeadLimits = field(default_factory=HeadLimits)
