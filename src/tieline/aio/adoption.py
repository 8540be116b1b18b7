"""A connected stream of blocking calls → one that the running loop serves, as it can."""

from __future__ import annotations

from tieline.aio.dialling import adopt
from tieline.aio.loop_reactor import LoopReactor
from tieline.aio.watching import watches_descriptors
from tieline.transport.stream import Stream


async def take_over(stream: Stream, reactor: LoopReactor) -> Stream:
    """The stream itself where the loop watches descriptors, else one over the loop's transport.

    Unless this succeeds, the connection is closed.
    """
    try:
        is_watched = watches_descriptors(reactor.loop, stream.fileno())
    except BaseException:
        stream.close()
        raise
    return stream if is_watched else await adopt(stream, reactor)
