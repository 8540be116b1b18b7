# cython: language_level=3, freethreading_compatible=True
"""A session's short way in, to an inbox: for who asks for messages, and for an event loop's tasks."""

from threading import main_thread

from cpython.exc cimport PyErr_CheckSignals
from cpython.list cimport PyList_GET_SIZE

from tieline.engine._kernel cimport HAS_GIL, PyThread_get_thread_ident, clock
from tieline.engine._read_lane cimport NOTHING, SOMETHING, UNUSUAL, ReadLane
from tieline.engine.driving cimport Driver
from tieline.engine.receive_buffer cimport ReceiveBuffer
from tieline.engine.stock cimport Stock
from tieline.engine.turn cimport Turn

cdef enum:
    # Buffers of one thread that are kept: more are needed while handlers receive on others, and who
    # goes on with what another thread has read gets that one's.
    SPARES = 2


cdef class InboxLane(ReadLane):
    """Reads into an inbox, by the general way's rules (`Pump`, `Driver`, `Receiver`)."""

    def keep_in(self, Stock inbox, Driver driver, pump, spares):
        """From now on `recv` takes from this inbox, and reads when it is empty."""
        self.inbox = inbox
        self.driver = driver
        self.pump = pump
        self.turn = pump.turn
        self.spares = spares
        self.main_thread = main_thread().ident

    def close(self):
        """Nothing goes this way any more. With the lock held."""
        ReadLane.close(self)
        self.unread = None
        self.forget_thread()

    def rest_is_taken(self):
        """The general way has gone on with what was read here, to its end."""
        self.unread = None
        self.has_rest = False

    def forget_thread(self):
        """Nobody has asked for a while: what a thread keeps shall not outlive it here."""
        self.near = None
        self.nearest = 0

    # --- to the tasks of an event loop ---------------------------------------------------------

    def fill(self, Stock inbox, pump):
        """From now on `read` fills this inbox."""
        self.inbox = inbox
        self.pump = pump
        self.turn = pump.turn
        self.arrivals = inbox.arrivals
        self.fills = True

    def read(self, ReceiveBuffer memory):
        """Read once and put a run into the inbox, or, with `has_rest`, the next one from `memory`.

        False: the general way is to do it. The loop's thread.
        """
        cdef bint is_read = self.has_rest
        cdef Stock inbox = self.inbox
        cdef Turn turn = self.turn
        pump = self.pump
        self.has_rest = False
        if (
            not self.is_open
            or not self.fills
            or inbox.was_full
            or inbox.discards
            or inbox.is_streaming
            or self.assembler.streaming
            or (turn.has_more and not is_read)
            or turn.has_response
            or pump.calls
            or turn.holder is not None
            or not turn.lock.try_enter()
        ):
            return False
        # None of these runs Python code, so nobody has come in between.
        thread = <object>PyThread_get_thread_ident()
        turn.holder = thread
        try:
            self._next_run(memory, inbox, is_read, False)
        finally:
            self._give_back(thread)
            if self.has_news:
                self.has_news = False
                if self.arrivals.waiting:
                    self.arrivals.tell(len(inbox))
        if turn.is_asked or (turn.has_more and not self.has_rest):
            self.has_rest = False
            pump.deliver(clock())
            pump.read_buffered()
        elif self.layer is not None and self.layer.has_buffered_input:
            pump.read_buffered()
        return True

    # --- to who asks --------------------------------------------------------------------------

    cpdef object recv(self):
        """The next message if it is here, or comes very soon. None: the general way.

        The caller drives meanwhile, as in `Receiver`. Any thread; for handlers there is nothing.
        """
        cdef Stock inbox = self.inbox
        cdef Driver driver = self.driver
        cdef Turn turn = self.turn
        cdef unsigned long caller
        cdef object thread
        if inbox is None or not HAS_GIL:
            return None
        if self.popleft is None:  # nobody has asked before
            self.waiting = inbox.waiting
            self.appendleft = self.waiting.appendleft
            self.popleft = self.waiting.popleft
        if len(self.waiting):
            message = self.popleft()
            if inbox.was_full:
                inbox.look_for_room()
            return message
        if (
            not self.is_open
            or inbox.was_full
            or inbox.is_streaming
            or self.assembler.streaming
            or inbox.discards
            or inbox.holds_back
            or inbox.has_ended
            or driver.thread is not None
            or not driver.is_driven
            or driver.is_closed
            or turn.has_response
            or turn.holder is not None
            or not turn.lock.try_enter()
        ):
            return None
        # None of these runs Python code, so nobody has come in between.
        caller = PyThread_get_thread_ident()
        thread = caller
        turn.holder = thread
        driver.thread = thread
        driver.drives += 1
        message = None
        try:
            try:
                message = self._drive(driver, inbox, thread, self._spares_of(caller))
            finally:
                self._leave(driver, inbox, thread)
        except BaseException:
            if message is not None:
                self.appendleft(message)
            raise
        if message is None or caller != self.main_thread:
            return message
        # A signal that came during the wait is handled while the message is still kept.
        self.appendleft(message)
        PyErr_CheckSignals()
        try:
            return self.popleft()
        except IndexError:
            return None  # the handler took it

    cdef list _spares_of(self, unsigned long thread):
        """The caller's spare buffers: `threading.local` is slow to ask, and mostly it is the same."""
        cdef list near = self.near
        if near is None or self.nearest != thread:
            near = self.spares.buffers
            self.near = near
            self.nearest = thread
        return near

    cdef int _leave(self, Driver driver, Stock inbox, thread) except -1:
        """Drive no more, and tell who waits for that."""
        if driver.thread == thread:
            driver.thread = None
        if driver.is_closed or driver.after is not None:
            try:
                driver.left()
            except BaseException:
                driver.left()  # Ctrl-C
                raise
        if inbox.waiters:
            inbox.tell()
        return 0

    cdef object _drive(self, Driver driver, Stock inbox, thread, list spares):
        """The next message or None: read once, or go on with what was read. Gives the turn back."""
        cdef list batch = None
        cdef bint is_read = self.turn.has_more
        # Others may have gone on with what is in there.
        cdef ReceiveBuffer memory = self.unread
        self.unread = None
        self.has_rest = False
        try:
            if memory is None and spares and not is_read:
                memory = spares.pop()
            if is_read or memory is not None:
                batch = self._next_run(memory, inbox, is_read, True)
            if self.has_rest:
                self.unread = memory
            elif memory is not None and len(spares) < SPARES:
                spares.append(memory)
        except Exception as error:
            driver.failed(error)
        except BaseException:
            driver.interrupted()
            raise
        finally:
            self._give_back(thread)
        if self.turn.is_asked or (self.turn.has_more and not self.has_rest):
            driver.deliver()
        return None if batch is None else batch[0]

    cdef int _give_back(self, thread) except -1:
        """The turn, if nobody has done so."""
        cdef Turn turn = self.turn
        if turn.holder == thread:
            turn.holder = None
            turn.lock.leave()
        return 0

    cdef list _next_run(self, ReceiveBuffer memory, Stock inbox, bint is_read, bint takes):
        """The next run goes into the inbox, but for its first message if that is what one `takes`.

        That one is the first of the list which is returned. What follows the run waits where it was
        read to: a run is in the processor's caches while it is taken, and all that one read brings
        would not be. `is_read`: that was done before.
        """
        cdef list batch = None
        cdef list rest
        cdef Turn turn = self.turn
        cdef int outcome
        self.lock.enter()
        try:
            outcome = SOMETHING if is_read else self._fill(memory, takes)
            turn.has_more = False
            if outcome == SOMETHING:
                batch = self._next_batch(&outcome)
            if batch is not None:
                if self.assembler.failure is not None:
                    self.pump.hold_back()
                rest = batch
                if takes and not inbox.discards and not len(self.waiting):
                    rest = batch[1:] if PyList_GET_SIZE(batch) > 1 else None
                else:
                    batch = None
                if rest:
                    self._put(inbox, rest)
                if self.assembler.has_more():
                    turn.has_more = self.has_rest = True
            if outcome == UNUSUAL:
                # The buffer is for others, too.
                self.connection.keep_unread()
                turn.has_more = True
            return batch
        finally:
            self.lock.leave()

    cdef int _put(self, Stock inbox, list batch) except -1:
        """Into the inbox, which takes messages without the session's lock."""
        if self.fills and PyList_GET_SIZE(batch) == 1 and inbox.keep(batch[0]):
            self.has_news = True
            return 0
        self.lock.leave()
        try:
            inbox.messages(batch)
        finally:
            self._acquire_again()
        return 0


cdef class Iteration:
    """Each message as it comes: those that are here without a detour."""

    cdef Stock inbox
    cdef object waiting
    cdef object popleft
    cdef object receive

    def __init__(self, Stock inbox, receive):
        """`receive` waits for the next message, and raises StopIteration at the end."""
        self.inbox = inbox
        self.waiting = inbox.waiting
        self.popleft = inbox.waiting.popleft
        self.receive = receive

    def __iter__(self):
        return self

    def __next__(self):
        if len(self.waiting):
            try:
                message = self.popleft()
            except IndexError:
                return self.receive()  # another thread was faster
            if self.inbox.was_full:
                self.inbox.look_for_room()
            return message
        return self.receive()
