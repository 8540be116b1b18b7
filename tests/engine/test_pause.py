"""Pause: a wait that anybody can end."""

from __future__ import annotations

import threading

from tieline.engine.pause import Pause

SOON = 20.0


def test_a_pause_lasts_as_long_as_it_should() -> None:
    assert Pause().wait(0.0)


def test_a_pause_is_ended_by_another_thread() -> None:
    news: list[int] = []
    waiting = threading.Event()

    def told() -> None:
        news.append(threading.get_ident())
        waiting.set()

    pause = Pause()
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(pause.wait(1000.0, told)))
    thread.start()
    pause.bring_news()
    assert waiting.wait(SOON)
    assert news == [thread.ident]
    pause.interrupt()
    thread.join(SOON)
    assert results == [False]


def test_an_interruption_ends_every_later_pause() -> None:
    pause = Pause()
    pause.interrupt()
    assert not pause.wait(1000.0)
    assert not pause.wait(1000.0)


def test_much_news_while_nobody_waits_is_told_once() -> None:
    """A dial may take long, and every message that is dropped meanwhile brings news."""
    told: list[str] = []
    pause = Pause()
    for _ in range(1000):
        pause.bring_news()
    assert pause.wait(0.0, lambda: told.append("news")) and told == ["news"]
    pause.bring_news()
    assert pause.wait(0.0, lambda: told.append("news")) and told == ["news"] * 2
