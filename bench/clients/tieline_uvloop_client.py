"""tieline.aio on uvloop's event loop."""

from __future__ import annotations

import uvloop

from bench.clients.tieline_asyncio_client import Work
from bench.clients.tieline_build import version

VERSION = version("uvloop")

_work = Work(uvloop.new_event_loop)
receive, echo, send = _work.receive, _work.echo, _work.send
