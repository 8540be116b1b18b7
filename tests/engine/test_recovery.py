"""Recovery: whether a connection that has ended is replaced, whatever users decide meanwhile."""

from __future__ import annotations

import threading
from typing import Any

from tests.causes import ended
from tieline.engine.pause import Pause
from tieline.engine.recovery import Recovery
from tieline.options import Options
from tieline.protocol.state import State
from tieline.reconnect import GaveUp, Reconnect, ReconnectAttempt
from tieline.testing import ManualClock


class Bench:
    def __init__(self, reconnect: Any = True) -> None:
        self.clock = ManualClock()
        self.raised: list[BaseException] = []
        self.reactor = self.clock
        #: The last connection.
        self.session = object()
        self.lock = threading.RLock()
        self.options = Options.build("ws://one/", {"reconnect": reconnect})
        self.recovery = Recovery(self)

    def new_pause(self) -> Pause:
        return Pause()

    def predicate_raised(self, error: BaseException, driver: object) -> None:
        self.raised.append(error)

    def open(self) -> None:
        outage = self.recovery.begin(is_first=True, goes_on=False)
        outage.dialling()
        self.recovery.opened(outage)

    def lose(self, code: int = 1006) -> Any:
        return self.recovery.begin_after(self.session, ended(code))


def test_a_lost_connection_is_replaced() -> None:
    bench = Bench()
    bench.open()
    outage = bench.lose()
    assert outage is bench.recovery.outage
    assert isinstance(outage.plan, ReconnectAttempt)


def test_not_without_the_option() -> None:
    bench = Bench(reconnect=False)
    bench.open()
    assert bench.lose() is None and bench.recovery.outage is None


def test_not_before_there_was_a_connection() -> None:
    assert Bench().lose() is None


def test_not_what_another_connection_has_replaced() -> None:
    bench = Bench()
    bench.open()
    before, bench.session = bench.session, object()
    assert bench.recovery.begin_after(before, ended(1006)) is None
    assert isinstance(bench.lose().plan, ReconnectAttempt)


def test_not_what_another_connection_replaces_while_the_predicate_runs() -> None:
    def retry(cause: Any) -> bool:
        bench.session = object()
        return True

    bench = Bench(Reconnect(retry=retry))
    bench.open()
    assert bench.lose() is None and bench.recovery.outage is None


def test_not_after_the_user_has_closed() -> None:
    bench = Bench()
    bench.open()
    assert bench.recovery.stop() is None
    assert bench.lose() is None


def test_what_the_rules_do_not_retry_is_given_up() -> None:
    bench = Bench()
    bench.open()
    outage = bench.lose(1000)
    assert isinstance(outage.plan, GaveUp)
    assert bench.recovery.outage is None and not bench.recovery.is_wanted


def test_a_user_who_closes_while_the_predicate_runs() -> None:
    bench = Bench(Reconnect(retry=lambda cause: bench.recovery.stop() is None))
    bench.open()
    assert bench.lose() is None
    assert bench.recovery.outage is None


def test_a_predicate_that_raises_is_told_of_and_the_rules_decide() -> None:
    error = KeyError("mine")

    def retry(cause: Any) -> bool:
        raise error

    bench = Bench(Reconnect(retry=retry))
    bench.open()
    assert isinstance(bench.lose(1006).plan, ReconnectAttempt)
    assert bench.raised == [error]


def test_stopping_interrupts_what_is_under_way() -> None:
    bench = Bench()
    bench.open()
    outage = bench.lose()
    assert bench.recovery.stop() is outage
    assert outage.is_interrupted and bench.recovery.outage is None
    assert outage.is_finished, "nobody drove it yet, so nobody need be waited for"
    bench.open()
    outage = bench.lose()
    outage.has_driver = True
    bench.recovery.stop()
    assert not outage.is_finished


def test_a_new_beginning_ends_what_was_under_way() -> None:
    bench = Bench()
    bench.open()
    lost = bench.lose()
    outage = bench.recovery.begin(is_first=True, goes_on=False)
    assert lost.is_interrupted and bench.recovery.outage is outage
    assert outage.state is State.CONNECTING


def test_connecting_again_keeps_the_wish() -> None:
    bench = Bench()
    bench.open()
    outage = bench.recovery.begin_again(is_first=False, overlaps=True)
    assert bench.recovery.is_wanted and outage.overlaps
    outage.dialling()
    outage.failed(ConnectionError("for now"))
    assert isinstance(outage.plan, ReconnectAttempt)


def test_connecting_again_without_a_wish_is_one_round() -> None:
    bench = Bench()
    outage = bench.recovery.begin_again(is_first=True, overlaps=False)
    outage.dialling()
    outage.failed(ConnectionError("for now"))
    assert isinstance(outage.plan, GaveUp)
    assert not bench.recovery.is_wanted


def test_back_off_goes_on_until_a_connection_was_stable() -> None:
    bench = Bench(Reconnect(initial=1.0, stable_after=10.0, jitter=False))
    bench.open()
    told = []
    for lived in (1.0, 1.0, 10.0, 1.0):
        bench.clock.advance(lived)
        outage = bench.lose()
        told.append((outage.plan.number, outage.plan.delay))
        outage.dialling()
        bench.recovery.opened(outage)
    assert told == [(1, 1.0), (2, 2.0), (1, 1.0), (2, 2.0)]


def test_nobody_holds_the_connection_any_more() -> None:
    bench = Bench()
    bench.open()
    outage = bench.lose()
    bench.recovery.abandon()
    assert outage.is_interrupted and not bench.recovery.is_wanted


def test_what_could_not_be_served_is_still_out() -> None:
    bench = Bench()
    outage = bench.recovery.begin(is_first=True, goes_on=True)
    outage.dialling()
    bench.recovery.opened(outage)
    bench.recovery.not_opened(outage, False)
    assert bench.recovery.outage is outage and not bench.recovery.is_wanted
    bench.recovery.remove(outage)
    assert bench.recovery.outage is None


def test_after_a_fork() -> None:
    bench = Bench()
    bench.open()
    bench.lose()
    bench.recovery.abandon_after_fork()
    assert bench.recovery.outage is None and bench.lose() is None


def test_a_line_that_never_was_up_is_not_wanted_by_dialling_again() -> None:
    """Another thread dials again while the first `connect()` does, which tries once."""
    bench = Bench()
    bench.recovery.begin(is_first=True, goes_on=False)
    again = bench.recovery.begin_again(is_first=True, overlaps=False)
    assert not again.goes_on and not bench.recovery.is_wanted


def test_dialling_again_in_place_of_one_that_keeps_trying() -> None:
    bench = Bench()
    bench.recovery.begin(is_first=True, goes_on=True)
    again = bench.recovery.begin_again(is_first=True, overlaps=False)
    assert again.goes_on and bench.recovery.is_wanted


def test_an_overlap_that_could_not_be_served_changes_nothing() -> None:
    """What was lost afterwards is replaced, as before."""
    bench = Bench()
    bench.open()
    outage = bench.recovery.begin_again(is_first=False, overlaps=True)
    outage.dialling()
    bench.recovery.opened(outage)
    bench.recovery.not_opened(outage, True)
    bench.recovery.keep(outage)
    assert isinstance(bench.lose().plan, ReconnectAttempt)
