"""TimerHeap: what is due, in order, and what was taken back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tieline.engine.timers import Timer, TimerHeap


def nothing() -> None:
    """What is called."""


def add(heap: TimerHeap, when: float, thing: object) -> Timer:
    return heap.add(when, thing, nothing)


def due(heap: TimerHeap, now: float) -> list[object]:
    calls = heap.pop_due(now)
    assert all(callback is nothing for _, callback in calls)
    return [thing for thing, _ in calls]


def test_nothing_is_due_before_its_time() -> None:
    heap = TimerHeap()
    add(heap, 2.0, "b")
    add(heap, 1.0, "a")
    assert heap.next_deadline() == 1.0
    assert due(heap, 0.99) == []
    assert due(heap, 1.0) == ["a"]
    assert heap.next_deadline() == 2.0
    assert due(heap, 5.0) == ["b"]
    assert heap.next_deadline() is None
    assert len(heap) == 0


def test_the_same_moment_keeps_the_order_and_compares_nothing() -> None:
    heap = TimerHeap()
    things = [object() for _ in range(50)]
    for thing in things:
        add(heap, 1.0, thing)
    assert due(heap, 1.0) == things


def test_what_was_cancelled_is_never_due() -> None:
    heap = TimerHeap()
    timer = add(heap, 1.0, "a")
    add(heap, 2.0, "b")
    timer.cancel()
    timer.cancel()
    assert len(heap) == 1
    assert heap.next_deadline() == 2.0
    assert due(heap, 3.0) == ["b"]


def test_cancelling_too_late_changes_nothing() -> None:
    """As a session does that another one, due at the same moment, has ended."""
    heap = TimerHeap()
    timer = add(heap, 1.0, "a")
    assert due(heap, 1.0) == ["a"]
    timer.cancel()
    assert len(heap) == 0
    add(heap, 2.0, "b")
    assert len(heap) == 1


def test_cancelled_timers_do_not_pile_up() -> None:
    heap = TimerHeap()
    add(heap, 0.5, -1)
    for number in range(10_000):
        add(heap, 1e6, number).cancel()
    assert len(heap) == 1
    assert len(heap._timers) < 200


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(0, 20)),
            st.tuples(st.just("cancel"), st.integers(0, 20)),
            st.tuples(st.just("pop"), st.integers(0, 20)),
        )
    )
)
def test_it_agrees_with_a_sorted_list(steps: list[tuple[str, int]]) -> None:
    heap = TimerHeap()
    model: dict[int, int] = {}
    timers = []
    for step, number in steps:
        if step == "add":
            timers.append(add(heap, number, len(timers)))
            model[len(timers) - 1] = number
        elif step == "cancel" and number < len(timers):
            timers[number].cancel()
            model.pop(number, None)
        elif step == "pop":
            expected = sorted((when, key) for key, when in model.items() if when <= number)
            assert due(heap, number) == [key for _, key in expected]
            for _, key in expected:
                del model[key]
        assert len(heap) == len(model)
        assert heap.next_deadline() == (min(model.values()) if model else None)
