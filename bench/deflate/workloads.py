"""What every client has to do with compressed messages."""

from __future__ import annotations

from bench.workloads import Workload


class FeedWorkload(Workload):
    """Messages of the feed of about `size` bytes, text from or to `str`."""

    @property
    def title(self) -> str:
        return f"{self.kind}, JSON of about {self.size} B"


WORKLOADS = (
    FeedWorkload("receive", 300, 2000),
    FeedWorkload("receive", 4096, 500),
    FeedWorkload("send", 300, 2000),
    FeedWorkload("send", 4096, 200),
)
