"""Case numbers → conversations with an Autobahn fuzzing server, every message echoed."""

from __future__ import annotations

from urllib.parse import urlencode

import tieline
from compliance.fronts import Answer, Talk

#: Cases 9.1.6 and 9.2.6 send 16 MiB in one message: what the client has to accept, and no more.
LARGEST_MESSAGE = 16 * 1024 * 1024


class CaseNotDriven(Exception):
    """The conversation did not come to its end, or not as it should; the text says why."""


class FuzzingServer:
    """The suite's server, as `agent` talks to it. Every call is one connection, and ends.

    Raises `tieline.ConnectError` when the server cannot be reached, and `CaseNotDriven` when it has
    not closed the connection after `timeout` seconds.
    """

    def __init__(self, url: str, agent: str, timeout: float, talk: Talk) -> None:
        self._url = url.rstrip("/")
        self._agent = agent
        self._timeout = timeout
        self._front = talk

    def case_count(self) -> int:
        """How many cases the server offers; they are numbered from 1."""
        messages: list[str | bytes] = []
        self._talk("getCaseCount", messages.append)
        if len(messages) != 1 or not str(messages[0]).isdecimal():
            raise CaseNotDriven(f"getCaseCount: expected one message, a number, got {messages!r}")
        return int(messages[0])

    def run_case(self, number: int) -> None:
        """Echo every message of a case, text as text and binary as binary."""
        self._talk("runCase", lambda message: message, {"case": number, "agent": self._agent})

    def update_reports(self) -> None:
        """Have the server write what it found about the agent."""
        self._talk("updateReports", lambda message: None, {"agent": self._agent})

    def _talk(self, path: str, answer: Answer, query: dict[str, object] | None = None) -> None:
        """Connect, and answer until the server has said all and closed the connection."""
        url = f"{self._url}/{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            unsent = self._front(url, answer, self._timeout, max_message_size=LARGEST_MESSAGE)
        except TimeoutError as error:
            if isinstance(error, tieline.ConnectTimeout):
                raise
            raise CaseNotDriven(
                f"the server has not closed {url} within {self._timeout:g} s"
            ) from error
        if unsent:
            raise CaseNotDriven(f"{len(unsent)} messages were not echoed: {unsent[0]}")
