"""Jobs → an executor of the user's, one at a time and in order."""

from __future__ import annotations

import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from concurrent.futures import Future

#: Bytes (of text: characters) that messages may have together while they wait to be taken, before
#: reading stops; one that is larger waits alone. Enough for any burst of small ones.
MAX_WAITING = 16 * 1024 * 1024


def _is_future(given: object) -> TypeGuard[Future[Any]]:
    futures = sys.modules.get("concurrent.futures")  # whoever has made one has loaded it
    return futures is not None and isinstance(given, futures.Future)


def _is_program_over() -> bool:
    """The end of a program shuts executors down, before `atexit` and with no word to anybody."""
    pools = sys.modules.get("concurrent.futures.thread")
    return bool(getattr(pools, "_shutdown", False)) or not threading.main_thread().is_alive()


class Runner:
    """The ``executor`` option: an event loop, something with ``submit``, or a function."""

    def __init__(self, executor: Any) -> None:
        call_soon = getattr(executor, "call_soon_threadsafe", None)
        self._loop = None if call_soon is None else executor
        #: Runs a function, somewhere and some time.
        self.submit: Callable[[Callable[[], None]], Any] = call_soon or getattr(
            executor, "submit", executor
        )
        #: Others want to run between two jobs.
        self.is_shared = call_soon is not None

    @property
    def is_closed(self) -> bool:
        """Is it a loop that will run nothing any more?"""
        return self._loop is not None and self._loop.is_closed()

    def is_here(self) -> bool:
        """Is the caller on the loop, where waiting for a job would never end?"""
        if self._loop is None:
            return False
        import asyncio  # loaded, since there is a loop; others need not pay for it

        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False


class SerialQueue:
    """Runs jobs on an executor as if it had one thread: never two at once, never out of order.

    `load` says how many messages wait, so that the owner can stop reading: `is_full` above `limit`
    of them, or above `MAX_WAITING` bytes. `on_room` is called when half of that is done, on the
    executor's thread. `on_refused` gets the reason, once, when jobs run elsewhere because the
    executor does not run them; it must not raise.
    """

    def __init__(
        self,
        runner: Runner,
        limit: int,
        on_room: Callable[[], None],
        on_refused: Callable[[str], None] | None = None,
    ) -> None:
        self._runner = runner
        self._limit = limit
        self._on_room = on_room
        self._on_refused = on_refused
        self._lock = threading.RLock()
        self._jobs: deque[tuple[Callable[[], None], int, int]] = deque()
        self._scheduled = False
        self._was_full = False
        self._running_on: int | None = None
        # Stands for what the executor was given and has not begun to run.
        self._given: object = None
        # Tells when the executor lets go of it.
        self._notice: weakref.ref[Callable[[], None]] | None = None
        self.load = 0
        # Bytes of the messages that wait.
        self._size = 0

    def post(self, job: Callable[[], None], weight: int = 0, size: int = 0) -> None:
        """Run `job` after all that were posted before. It must not raise.

        It is for `weight` messages of `size` bytes together.
        """
        with self._lock:
            self._jobs.append((job, weight, size))
            self.load += weight
            self._size += size
            if self.is_full:
                self._was_full = True
            if self._scheduled:
                return
            self._scheduled = True
        self._schedule()

    def _schedule(self) -> None:
        given = self._given = object()
        run = partial(self._run_some, given)
        # A loop that is closed lets go of what it was to run, and tells nobody.
        self._notice = weakref.ref(run, lambda _: self._run_elsewhere(given))
        try:
            future = self._runner.submit(run)
        except Exception as error:
            # It was shut down, or is a queue that is full: the connection still has to end, with
            # all its events, and a queue that nobody runs would hold up all that follows.
            if self._begin(given):
                self._run_refused(f"{type(error).__name__}: {error}")
            return
        if _is_future(future):
            future.add_done_callback(partial(self._after_run, given))
        elif self._runner.is_closed:  # since it looked: nobody lets go of what it has
            self._run_elsewhere(given)

    def _begin(self, given: object) -> bool:
        """What was given runs from now on. False: it does, or did, already."""
        with self._lock:
            if self._given is not given:
                return False
            self._given = None
            return True

    def _after_run(self, given: object, future: Future[Any]) -> None:
        """An executor that was shut down with ``cancel_futures`` has thrown the jobs away."""
        if future.cancelled():
            self._run_elsewhere(given)

    def _run_elsewhere(self, given: object) -> None:
        """The executor will not run it. Not here, where its lock may be held."""
        if self._begin(given) and not sys.is_finalizing():
            run = self._run_last
            threading.Thread(target=run, name="tieline-last-jobs", daemon=True).start()

    def _run_last(self) -> None:
        self._run_refused("it was closed or shut down, and has thrown away what it was given")

    def _run_refused(self, why: str) -> None:
        """Run the jobs here, and tell, the first time, why."""
        on_refused, self._on_refused = self._on_refused, None
        try:
            if on_refused is not None and not _is_program_over():
                on_refused(why)
        finally:  # whatever a logger raised, Ctrl-C too: else nobody would run them ever again
            self._run()

    def abandon_after_fork(self) -> None:
        """In a child process: what waited belongs to the parent."""
        self._lock = threading.RLock()
        self._jobs.clear()
        self._scheduled = self._was_full = False
        self._running_on = self._given = None
        self.load = self._size = 0

    @property
    def is_full(self) -> bool:
        """More waits than the limit allows."""
        return self.load >= self._limit or self._size >= MAX_WAITING

    def in_job(self) -> bool:
        """Is the caller inside a job of this queue, or where only jobs can be waited for?"""
        return threading.get_ident() == self._running_on or self._runner.is_here()

    def _run_some(self, given: object) -> None:
        if not self._begin(given):
            return
        if not self._runner.is_shared:
            self._run()
        elif self._run(1):
            self._schedule()

    def _run(self, limit: int | None = None) -> bool:
        """Run the jobs that there are, or `limit` of them. True: there are more."""
        for _ in count() if limit is None else range(limit):
            with self._lock:
                if not self._jobs:
                    self._scheduled = False
                    return False
                job, weight, size = self._jobs.popleft()
            self._running_on = threading.get_ident()
            try:
                job()
            except BaseException:
                # The executor reports it; the jobs behind must run all the same.
                self._ran(weight, size)
                self._schedule()
                raise
            self._ran(weight, size)
        return True

    def _ran(self, weight: int, size: int) -> None:
        self._running_on = None
        with self._lock:
            self.load -= weight
            self._size -= size
            has_room = (
                self._was_full and self.load <= self._limit // 2 and self._size <= MAX_WAITING // 2
            )
            if has_room:
                self._was_full = False
        if has_room:
            self._on_room()
