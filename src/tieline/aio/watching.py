# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""A descriptor that the loop watches → calls of whoever is served."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tieline.aio.failing import give_up
from tieline.engine.lane import NO_LANE
from tieline.engine.receive_buffer import ReceiveBuffer

if TYPE_CHECKING:
    from tieline.aio.failing import LoopRegistrant
    from tieline.aio.loop_reactor import LoopReactor
    from tieline.engine.short_way import ShortWay


def watches_descriptors(loop: asyncio.AbstractEventLoop, descriptor: int) -> bool:
    """Has it `add_reader`? Only Windows' proactor has not, of asyncio's own loops and uvloop."""
    try:
        loop.remove_reader(descriptor)  # nothing is there yet: where it exists, it does nothing
    except NotImplementedError:
        return False
    return True


class DescriptorWatch:
    """Calls `on_readable` while there is something to read, `on_writable` while there is room.

    On the loop's thread. A loop that is told of a change tells the kernel, which costs more than a
    call that finds nothing to do: so reading is given up when that call comes, not before. An inbox
    that is full when a read ends is often empty when the next one may begin.
    """

    def __init__(self, reactor: LoopReactor, registrant: LoopRegistrant) -> None:
        self._loop = reactor.loop
        self._registrant = registrant
        self._now = reactor.now
        self._woken = reactor.woken
        self._spares = reactor.spares
        self._lane: ShortWay = getattr(registrant, "lane", NO_LANE)
        self._descriptor = registrant.fileno()
        self._wants_input = self._wants_room = False
        # What the loop watches for.
        self._reads = self._writes = False

    def watch(self, *, readable: bool, writable: bool) -> None:
        """Call it for these from now on."""
        self._wants_input = readable
        if readable and not self._reads:
            self._reads = True
            self._loop.add_reader(self._descriptor, self._on_readable)
        self._wants_room = writable
        if writable and not self._writes:
            self._writes = True
            self._loop.add_writer(self._descriptor, self._on_writable)
        elif self._writes and not writable:
            # Nearly always true, so it would be called on and on.
            self._writes = False
            self._loop.remove_writer(self._descriptor)

    def end(self) -> None:
        """Call nobody any more. Before the descriptor is closed: its number is soon another's."""
        self._wants_input = self._wants_room = False
        if self._loop.is_closed():
            return
        if self._reads:
            self._reads = False
            self._loop.remove_reader(self._descriptor)
        if self._writes:
            self._writes = False
            self._loop.remove_writer(self._descriptor)

    def _on_readable(self) -> None:
        if not self._wants_input:
            self._reads = False
            self._loop.remove_reader(self._descriptor)
            return
        if self._lane is NO_LANE:
            self._read(None)
            return
        memory = self._spares.take() or ReceiveBuffer()
        has_rest = True
        try:
            # The tasks take each run while it is in the processor's caches.
            while has_rest:
                has_rest = self._read(memory)
        finally:
            if has_rest and self._lane.has_rest:  # what a task has raised comes through
                self._registrant.pump.read_buffered()  # type: ignore[attr-defined]
            else:
                self._spares.keep(memory)

    def _read(self, memory: ReceiveBuffer | None) -> bool:
        """Read once and resume the tasks that were waiting. True: there is more in `memory`."""
        lane, woken = self._lane, self._woken
        woken.gathers = True
        try:
            try:
                if memory is None or not lane.read(memory):
                    self._registrant.on_readable(self._now())
            except BaseException as error:
                give_up(self._registrant, error)
        except BaseException:  # Ctrl-C
            woken.resume_soon()
            raise
        finally:
            woken.gathers = False
        # Here what a task raises interrupts nothing of ours.
        woken.resume()
        return lane.has_rest

    def _on_writable(self) -> None:
        try:
            self._registrant.on_writable()
        except BaseException as error:
            give_up(self._registrant, error)
