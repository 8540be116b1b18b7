"""Case numbers → conversations with an Autobahn fuzzing server, every message echoed."""

from __future__ import annotations

from urllib.parse import urlencode

import tieline

#: Cases 9.1.6 and 9.2.6 send 16 MiB in one message: what the client has to accept, and no more.
LARGEST_MESSAGE = 16 * 1024 * 1024


class CaseNotDriven(Exception):
    """The conversation did not come to its end, or not as it should; the text says why."""


class FuzzingServer:
    """The suite's server, as `agent` talks to it. Every call is one connection, and ends.

    Raises `tieline.ConnectError` when the server cannot be reached, and `CaseNotDriven` when it has
    not closed the connection after `timeout` seconds.
    """

    def __init__(self, url: str, agent: str, timeout: float) -> None:
        self._url = url.rstrip("/")
        self._agent = agent
        self._timeout = timeout

    def case_count(self) -> int:
        """How many cases the server offers; they are numbered from 1."""
        messages: list[str | bytes] = []
        client = tieline.WebSocketClient(
            on_message=messages.append, url=f"{self._url}/getCaseCount"
        )
        self._talk(client)
        if len(messages) != 1 or not str(messages[0]).isdecimal():
            raise CaseNotDriven(f"getCaseCount: expected one message, a number, got {messages!r}")
        return int(messages[0])

    def run_case(self, number: int) -> None:
        """Echo every message of a case, text as text and binary as binary."""
        query = urlencode({"case": number, "agent": self._agent})
        failures: list[Exception] = []

        def echo(message: str | bytes) -> None:
            try:
                client.send(message)
            except tieline.WebSocketError as error:
                failures.append(error)

        client = tieline.WebSocketClient(
            on_message=echo,
            url=f"{self._url}/runCase?{query}",
            max_message_size=LARGEST_MESSAGE,
        )
        self._talk(client)
        if failures:
            raise CaseNotDriven(f"{len(failures)} messages were not echoed: {failures[0]}")

    def update_reports(self) -> None:
        """Have the server write what it found about the agent."""
        query = urlencode({"agent": self._agent})
        self._talk(
            tieline.WebSocketClient(
                on_message=lambda message: None, url=f"{self._url}/updateReports?{query}"
            )
        )

    def _talk(self, client: tieline.WebSocketClient) -> None:
        """Connect, and wait until the server has said all and closed the connection."""
        client.connect(timeout=self._timeout)
        try:
            client.wait(self._timeout)
        except TimeoutError as error:
            client.disconnect(timeout=1)
            raise CaseNotDriven(
                f"the server has not closed {client.safe_url} within {self._timeout:g} s"
            ) from error
