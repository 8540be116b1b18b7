# cython: language_level=3, freethreading_compatible=True
"""A session's short way in, to its handlers, which the thread that reads calls."""

from cpython.list cimport PyList_GET_SIZE

from tieline.engine._ident cimport thread_ident
from tieline.engine._kernel cimport PyObject_CallOneArg, clock
from tieline.engine._read_lane cimport HOT, NOTHING, SOMETHING, UNUSUAL, ReadLane
from tieline.engine.receive_buffer cimport ReceiveBuffer
from tieline.engine.sender cimport Sender
from tieline.protocol.messages cimport MessageAssembler
from tieline.engine.waiting import handle_signals

# Seconds before a thread is wanted elsewhere for which it does not wait there any more.
cdef double MARGIN = 0.01


cdef class HandlerLane(ReadLane):
    """Delivers what it reads, by the general way's rules (`Pump`, `Driver`, `Receiver`)."""

    cdef object callbacks
    cdef object on_message
    cdef list watchers

    def deliver_to(self, callbacks):
        """From now on `serve` calls these handlers."""
        self.callbacks = callbacks
        self.on_message = callbacks.on_message
        self.watchers = callbacks.watchers

    @property
    def may_serve(self):
        """Is it `serve` that reads?"""
        return self.is_open and self.callbacks is not None

    def serve(self, ReceiveBuffer memory not None, calls, double until, bint alone):
        """Read and deliver for as long as there is something, or something is soon to be expected.

        On the one thread that reads, which has the turn. `calls`: others want something of this
        thread when there are any. `until`: when it is wanted elsewhere. `alone`: it serves nobody
        else, and may wait for more. True: the general way is to go on (`Pump`).
        """
        cdef int outcome
        cdef double now = clock()
        self.lock.enter()
        try:
            while self.is_open:
                outcome = self._fill(memory, alone and self.hot >= HOT and until - now > MARGIN)
                if outcome == SOMETHING:
                    outcome = self._deliver()
                if outcome != SOMETHING:
                    return outcome == UNUSUAL
                # What waits to be written is written by who waits for the descriptor.
                if not alone or self.sender.blocked or len(calls):
                    return False
                now = clock()
                if now >= until:
                    return False
            return False
        finally:
            self.lock.leave()

    cdef int _deliver(self) except -1:
        """Call the handler with each message that was read. With the lock held, but not there."""
        cdef MessageAssembler assembler = self.connection.assembler
        cdef Sender sender = self.sender
        cdef list batch
        cdef int outcome
        while True:
            batch = self._next_batch(&outcome)
            if batch is None:
                if outcome == SOMETHING:
                    self._let_others()
                return outcome
            sender.cork(PyList_GET_SIZE(batch))
            self.deliverer = thread_ident()
            self.lock.leave()
            try:
                self._call(batch)
                if PyList_GET_SIZE(batch) > 1:
                    handle_signals()  # of the handler's, a function in C lets nobody else in
            finally:
                self._acquire_again()
                self.deliverer = 0
            if not self.is_open:
                return NOTHING
            if self.gathered is not None:  # whoever has written it
                self._end_run()
            if sender.unwritten or PyList_GET_SIZE(batch) > 1:
                sender.flush()
            else:
                sender._corked = False
            if not assembler.has_more():
                return SOMETHING

    cdef int _let_others(self) except -1:
        """A part of a message has come, and no handler runs, in which others would have their turn.

        There may be no end of that. With the lock held, but not there.
        """
        self.lock.leave()
        try:
            handle_signals()
        finally:
            self._acquire_again()
        return 0

    cdef int _call(self, list batch) except -1:
        cdef object message
        cdef object on_message = self.on_message
        cdef list watchers = self.watchers
        cdef Py_ssize_t done = 0
        cdef Py_ssize_t count = PyList_GET_SIZE(batch)
        # Inside of the outer loop only when a handler has raised: a `try` for each takes time.
        while done < count:
            try:
                while done < count:
                    message = batch[done]
                    done += 1
                    if watchers:
                        self.callbacks.show(message)
                    PyObject_CallOneArg(on_message, message)
            except BaseException as error:
                self.callbacks.message_raised(error)
        return 0
