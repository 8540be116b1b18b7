"""A TLS session that breaks while it is up → another one, and each message's fate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import tieline
from tests.behaviours.fault_matrix.test_open_line import BIG, is_up_again, open_line
from tests.outages import Inbound, Waits, Watch, delays, settled
from tieline import State
from tieline.testing import EchoServer, FaultProxy, faults
from tieline.testing.faults import Fault

Proxied = Callable[..., FaultProxy]

#: What strikes the records (RFC 8446 section 5) of the server, and what is told of it.
BROKEN = {
    "reset between records": (faults.reset(), "error ConnectionResetError"),
    "reset in a record": (faults.reset(9), "error ConnectionResetError"),
    "cut between records": (faults.cut(), "error EOFError"),
    "cut in a record": (faults.cut(9), "error EOFError"),
    "half-closed in a record": (faults.half_close(9), "error EOFError"),
    "garbage in a record": (faults.garbage(b"\0" * 200, 9), "error SSLError"),
    "an alert nobody signed": (faults.tls_alert(80), "error SSLError"),
}


@pytest.mark.parametrize(("fault", "told"), BROKEN.values(), ids=BROKEN)
def test_it_breaks(
    watch: Watch,
    waits: Waits,
    secure_server: EchoServer,
    inbound: Inbound,
    proxied: Proxied,
    place_of: Any,
    fault: Fault,
    told: str,
) -> None:
    """The message has arrived, its echo is lost with the session: it is not sent again."""
    proxy = proxied(secure_server)
    talk = open_line(watch, proxy, **place_of(proxy).options)
    with waits.held():
        if fault.kind is faults.Kind.GARBAGE or fault.at:
            proxy.strike(fault)
            talk.send("arrives")
            inbound.wait_for("before", "arrives")
        else:
            talk.send("arrives")
            inbound.wait_for("before", "arrives")
            proxy.strike(fault)
        waits.wait_for(1)
        assert watch.state is State.RECONNECTING
        during = talk.call("send", "during", receipt=True)
    watch.expect("open", told, "close 1006", "end", "reconnecting 1", "open again")
    settled(talk, during)
    while talk.receive() != "during":
        pass  # the echo of "arrives" may have been quicker
    assert waits.seconds == delays(1)
    is_up_again(watch, inbound, "before", "arrives", "during")


@pytest.mark.parametrize("offline", ["queue", "raise"])
def test_messages_that_are_still_here(
    watch: Watch,
    waits: Waits,
    secure_server: EchoServer,
    inbound: Inbound,
    proxied: Proxied,
    place_of: Any,
    offline: str,
) -> None:
    """The end of none of them was encrypted yet, so none has arrived."""
    proxy = proxied(secure_server)
    options = {"offline": offline, "offline_limit": 2 * len(BIG), "write_limit": 2 * len(BIG)}
    talk = open_line(watch, proxy, **options, **place_of(proxy).options)
    proxy.strike(faults.stall(direction="to_server"))
    messages = [BIG, "small", "smaller"]
    receipts = [talk.call("send", message, receipt=True) for message in messages]
    proxy.strike(faults.reset())
    if offline == "queue":
        for receipt in receipts:
            settled(talk, receipt)
        assert [talk.receive() for _ in receipts] == messages
    else:
        for receipt in receipts:
            with pytest.raises(tieline.ConnectionClosed):
                settled(talk, receipt)
    watch.expect("open", "error *", "close 1006", "end", "reconnecting 1", "open again")
    is_up_again(watch, inbound, "before", *(messages if offline == "queue" else []))
