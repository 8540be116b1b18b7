# cython: language_level=3, freethreading_compatible=True
"""A session's short way in, to an inbox: for who asks for messages, and for an event loop's tasks."""

from collections import deque

from cpython.exc cimport PyErr_CheckSignals
from cpython.list cimport PyList_GET_SIZE

from tieline._flag cimport flag
from tieline.engine._ident cimport thread_ident
from tieline.engine._kernel cimport HAS_GIL, clock
from tieline.engine._read_lane cimport NOTHING, SOMETHING, UNUSUAL, ReadLane, of_thread
from tieline.engine.driving cimport Driver
from tieline.engine.pump cimport Pump
from tieline.engine.receive_buffer cimport ReceiveBuffer, SpareBuffers
from tieline.engine.stock cimport Stock
from tieline.engine.driving import spares_of_thread
from tieline.engine.waiting import handle_signals

# Under this name a thread finds its spare buffers.
cdef str KEY = "tieline.engine.driving.spares_of_thread"

# Looked up once: they are called with the deque.
cdef object popleft = deque.popleft
cdef object appendleft = deque.appendleft


cdef class InboxLane(ReadLane):
    """Reads into an inbox, by the general way's rules (`Pump`, `Driver`, `Receiver`)."""

    def rest_is_taken(self):
        """The general way has gone on with what was read here, to its end."""
        self.has_rest = False

    cdef int _give_back(self) except -1:
        """The turn, if nobody has done so."""
        cdef Pump pump = self.pump
        if pump.holder == thread_ident():
            pump.holder = 0
            if pump._news is not None:
                pump.tell_free()
        return 0

    cdef list _next_run(self, ReceiveBuffer memory, bint is_read, bint takes):
        """The next run goes into the inbox, but for its first message if that is what one `takes`.

        That one is the first of the list which is returned. What follows the run waits where it was
        read to: a run is in the processor's caches while it is taken, and all that one read brings
        would not be. `is_read`: that was done before.
        """
        cdef list batch = None
        cdef list rest
        cdef Pump pump = self.pump
        cdef Stock inbox = self.inbox
        cdef int outcome
        self.lock.enter()
        try:
            outcome = SOMETHING if is_read else self._fill(memory, takes)
            pump.has_more = False
            if outcome == SOMETHING:
                batch = self._next_batch(&outcome)
            if batch is not None:
                if self.connection.assembler.failure is not None:
                    self.pump.hold_back()
                rest = batch
                if takes and not inbox.discards and not len(inbox._messages):
                    rest = batch[1:] if PyList_GET_SIZE(batch) > 1 else None
                else:
                    batch = None
                if rest:
                    self._put(inbox, rest)
                if self.connection.assembler.has_more():
                    pump.has_more = self.has_rest = True
            if outcome == UNUSUAL:
                # The buffer is for others, too.
                self.connection.keep_unread()
                pump.has_more = True
            return batch
        finally:
            self.lock.leave()

    cdef int _put(self, Stock inbox, list batch) except -1:
        """Into the inbox, which takes messages without the session's lock."""
        self.lock.leave()
        try:
            inbox.messages(batch)
        finally:
            self._acquire_again()
        return 0


cdef class LoopLane(InboxLane):
    """To the tasks of an event loop."""

    # Who is told of a message in the inbox, and whether that is still to be done.
    cdef object arrivals
    cdef flag has_news

    def fill(self, Stock inbox, Pump pump):
        """From now on `read` fills this inbox."""
        self.pump = pump
        self.arrivals = inbox.arrivals
        self.inbox = inbox

    cpdef bint read(self, ReceiveBuffer memory) except -1:
        """Read once and put a run into the inbox, or, with `has_rest`, the next one from `memory`.

        False: the general way is to do it. The loop's thread.
        """
        cdef bint is_read = self.has_rest
        cdef Stock inbox = self.inbox
        cdef Pump pump = self.pump
        self.has_rest = False
        if (
            not self.is_open
            or inbox is None
            or inbox.was_full
            or inbox.discards
            or inbox.is_streaming
            or self.connection.assembler.streaming
            or (pump.has_more and not is_read)
            or pump.response is not None
            or pump.calls
            or pump.holder
        ):
            return False
        # None of these runs Python code, so nobody has come in between. (Without a global lock: only
        # the loop's thread has the turn of such a session.)
        pump.holder = thread_ident()
        try:
            self._next_run(memory, is_read, False)
        finally:
            self._give_back()
            if self.has_news:
                self.has_news = False
                self.arrivals.tell(len(inbox))
        if pump.is_asked or (pump.has_more and not self.has_rest):
            self.has_rest = False
            pump.deliver(clock())
            pump.read_buffered()
        elif self.layer is not None and self.layer.has_buffered_input:
            pump.read_buffered()
        return True

    cdef int _put(self, Stock inbox, list batch) except -1:
        if PyList_GET_SIZE(batch) == 1 and inbox.keep(batch[0]):
            self.has_news = True
            return 0
        return InboxLane._put(self, inbox, batch)


cdef class RecvLane(InboxLane):
    """To who asks for a message."""

    cdef Driver driver
    # What a run that more follows is in, unless the decoder has its own copy.
    cdef ReceiveBuffer unread

    def keep_in(self, Stock inbox, Driver driver, Pump pump):
        """From now on `recv` takes from this inbox, and reads when it is empty."""
        self.driver = driver
        self.pump = pump
        self.inbox = inbox

    def close(self):
        """Nothing goes this way any more. With the lock held."""
        InboxLane.close(self)
        self.unread = None

    def rest_is_taken(self):
        """The general way has gone on with what was read here, to its end."""
        InboxLane.rest_is_taken(self)
        self.unread = None

    cpdef object recv(self):
        """The next message if it is here, or comes very soon. None: the general way.

        The caller drives meanwhile, as in `Receiver`. Any thread; for handlers there is nothing.
        """
        cdef long long bytes_before
        while True:
            bytes_before = self.bytes_read
            message = self._recv()
            if message is not None or self.bytes_read == bytes_before:
                return message
            # A part of one has come, and the rest is on its way. There may be no end of that.
            handle_signals()

    cdef object _recv(self):
        """The same, with one read."""
        cdef Stock inbox = self.inbox
        cdef Driver driver = self.driver
        cdef Pump pump = self.pump
        cdef SpareBuffers spares
        if inbox is None or not HAS_GIL:
            return None
        messages = inbox._messages
        if type(messages) is tuple:  # nothing has waited before
            messages = inbox.waiting
        if len(messages):
            message = popleft(messages)
            if inbox.was_full:
                inbox.look_for_room()
            return message
        spares = of_thread(KEY, spares_of_thread, "buffers")
        if (
            not self.is_open
            or inbox.was_full
            or inbox.is_streaming
            or self.connection.assembler.streaming
            or inbox.discards
            or inbox.holds_back
            or inbox.has_ended
            or driver.thread is not None
            or not driver.is_driven
            or driver.is_closed
            or pump.response is not None
            or pump.holder
        ):
            return None
        # None of these runs Python code, so nobody has come in between.
        pump.holder = thread_ident()
        driver.thread = spares.thread
        driver.drives += 1
        message = None
        try:
            try:
                message = self._drive(spares)
            finally:
                self._leave(spares.thread)
        except BaseException:
            if message is not None:
                appendleft(messages, message)
            raise
        if message is None:
            return None
        # A signal that came during the wait is handled while the message is still kept.
        appendleft(messages, message)
        if len(messages) > 1:
            handle_signals()  # and other threads: a function in C may take all that comes
        else:
            PyErr_CheckSignals()
        try:
            return popleft(messages)
        except IndexError:
            return None  # the handler took it

    cdef int _put(self, Stock inbox, list batch) except -1:
        # Who waits for a message is told when the caller leaves.
        return 0 if inbox.keep_run(batch) else InboxLane._put(self, inbox, batch)

    cdef int _leave(self, thread) except -1:
        """Drive no more, and tell who waits for that."""
        cdef Driver driver = self.driver
        if driver.thread is thread:
            driver.thread = None
        if driver.is_closed or driver.after is not None:
            try:
                driver.left()
            except BaseException:
                driver.left()  # Ctrl-C
                raise
        if self.inbox.waiters:
            self.inbox.tell()
        return 0

    cdef object _drive(self, SpareBuffers spares):
        """The next message or None: read once, or go on with what was read. Gives the turn back."""
        cdef list batch = None
        cdef bint is_read = self.pump.has_more
        # Others may have gone on with what is in there.
        cdef ReceiveBuffer memory = self.unread
        self.unread = None
        self.has_rest = False
        try:
            if memory is None and not is_read:
                memory = spares.take()
            if is_read or memory is not None:
                batch = self._next_run(memory, is_read, True)
            if self.has_rest:
                self.unread = memory
            elif memory is not None:
                spares.keep(memory)
        except Exception as error:
            self.driver.failed(error)
        except BaseException:
            self.driver.interrupted()
            raise
        finally:
            self._give_back()
        if self.pump.is_asked or (self.pump.has_more and not self.has_rest):
            self.driver.deliver()
        return None if batch is None else batch[0]
