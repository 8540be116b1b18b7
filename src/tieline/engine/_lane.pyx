# cython: language_level=3, freethreading_compatible=True
"""One session's short way: small messages out, whole messages in, to handlers or to who asks."""

from threading import main_thread

from cpython.exc cimport PyErr_CheckSignals

from tieline.engine._kernel cimport HAS_GIL, PyThread_get_thread_ident, clock
from tieline.engine._read_lane cimport NOTHING, SOMETHING, UNUSUAL, ReadLane
from tieline.engine._send_lane cimport SendLane
from tieline.engine.sender cimport Sender
from tieline.protocol.messages cimport MessageAssembler

cdef enum:
    # So many reads in a row must have found something before a thread waits for the next one in
    # the very call that reads.
    HOT = 4
    # So many messages are kept at most of what one read has brought to a full inbox.
    ENOUGH = 131072

# Seconds for which what handlers send is gathered (`Writer`).
cdef double GATHERING = 0.001

# Seconds before a thread is wanted elsewhere for which it does not wait there any more.
cdef double MARGIN = 0.01


cdef class Lane(ReadLane):
    """Delivers what it reads, by the general way's rules (`Pump`, `Driver`, `Receiver`)."""

    # To handlers.
    cdef object callbacks
    cdef object on_message
    cdef list watchers
    # To who asks.
    cdef object inbox
    cdef object waiting
    cdef object popleft
    cdef Py_ssize_t few
    cdef object driver
    cdef object pump
    cdef object turn
    cdef object spares
    cdef object main_thread
    # Is it `read` that reads?
    cdef bint fills

    def deliver_to(self, callbacks):
        """From now on `serve` calls these handlers."""
        self.callbacks = callbacks
        self.on_message = callbacks.on_message
        self.watchers = callbacks.watchers

    def keep_in(self, inbox, driver, pump, spares):
        """From now on `recv` takes from this inbox, and reads when it is empty."""
        self.inbox = inbox
        self.waiting = inbox.waiting
        self.popleft = inbox.waiting.popleft
        self.few = inbox.few
        self.driver = driver
        self.pump = pump
        self.turn = pump.turn
        self.spares = spares
        self.main_thread = main_thread().ident

    @property
    def may_serve(self):
        """Is it `serve` that reads?"""
        return self.is_open and self.callbacks is not None

    # --- to handlers --------------------------------------------------------------------------

    def serve(self, memory, calls, double until, bint alone):
        """Read and deliver for as long as there is something, or something is soon to be expected.

        On the one thread that reads, which has the turn. `calls`: others want something of this
        thread when there are any. `until`: when it is wanted elsewhere. `alone`: it serves nobody
        else, and may wait for more. True: the general way is to go on (`Pump`).
        """
        cdef int outcome
        cdef double now
        self.acquire()
        try:
            while self.is_open:
                now = clock()
                outcome = self._fill(
                    memory, now, alone and self.hot >= HOT and until - now > MARGIN
                )
                if outcome == SOMETHING:
                    outcome = self._deliver()
                if outcome != SOMETHING:
                    return outcome == UNUSUAL
                # What waits to be written is written by who waits for the descriptor.
                if not alone or self.sender.blocked or len(calls) or clock() >= until:
                    return False
            return False
        finally:
            self.release()

    cdef int _deliver(self) except -1:
        """Call the handler with each message that was read. With the lock held, but not there."""
        cdef MessageAssembler assembler = self.assembler
        cdef Sender sender = self.sender
        cdef list batch
        cdef int outcome
        while True:
            batch = self._next_batch(&outcome)
            if batch is None:
                return outcome
            if len(batch) > 1:
                sender._corked = True
                sender._corked_until = clock() + GATHERING
            self.deliverer = PyThread_get_thread_ident()
            self.is_delivering = True
            self.release()
            try:
                self._call(batch)
            finally:
                self._acquire_again()
                self.is_delivering = False
            if not self.is_open:
                return NOTHING
            if sender._corked:
                self.gathered = None
                sender.flush()
            if not assembler.has_more():
                return SOMETHING

    cdef int _call(self, list batch) except -1:
        cdef object message
        cdef object on_message = self.on_message
        cdef list watchers = self.watchers
        for message in batch:
            if watchers:
                self.callbacks.show(message)
            try:
                on_message(message)
            except BaseException as error:
                self.callbacks.message_raised(error)
        return 0

    # --- to the tasks of an event loop ---------------------------------------------------------

    def fill(self, inbox, pump):
        """From now on `read` fills this inbox."""
        self.inbox = inbox
        self.waiting = inbox.waiting
        self.pump = pump
        self.turn = pump.turn
        self.fills = True

    def read(self, memory):
        """Read once, into the inbox. False: the general way is to do it. The loop's thread."""
        cdef int outcome
        inbox = self.inbox
        pump = self.pump
        if (
            not self.is_open
            or not self.fills
            or inbox.was_full
            or inbox.discards
            or inbox.is_streaming
            or self.assembler.streaming
            or pump.has_more
            or pump.response is not None
            or pump.calls
            or self.turn.holder is not None
            or not self.turn.lock.acquire(False)
        ):
            return False
        # None of these runs Python code, so nobody has come in between.
        thread = PyThread_get_thread_ident()
        self.turn.holder = thread
        try:
            self._fill_inbox(memory, inbox, False, False)
        finally:
            self._give_back(thread)
        if self.turn.is_asked or pump.has_more:
            pump.deliver(clock())
            pump.read_buffered()
        elif self.layer is not None and self.layer.has_buffered_input:
            pump.read_buffered()
        return True

    # --- to who asks --------------------------------------------------------------------------

    def recv(self):
        """The next message if it is here, or comes very soon. None: the general way.

        The caller drives meanwhile, as in `Receiver`. Any thread; for handlers there is nothing.
        """
        cdef list batch
        inbox = self.inbox
        if inbox is None or not HAS_GIL:
            return None
        if len(self.waiting):
            message = self.popleft()
            if len(self.waiting) <= self.few and inbox.was_full:
                inbox.look_for_room()
            return message
        driver = self.driver
        spares = self.spares.buffers
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
            or self.pump.has_more
            or self.turn.holder is not None
            or not self.turn.lock.acquire(False)
        ):
            return None
        # None of these runs Python code, so nobody has come in between.
        thread = PyThread_get_thread_ident()
        self.turn.holder = thread
        driver.thread = thread
        driver.drives += 1
        try:
            message = self._drive(driver, inbox, thread, spares)
        finally:
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
        if message is None or thread != self.main_thread:
            return message
        # A signal that came during the wait is handled while the message is still kept.
        self.waiting.appendleft(message)
        PyErr_CheckSignals()
        try:
            return self.popleft()
        except IndexError:
            return None  # the handler took it

    cdef object _drive(self, driver, inbox, thread, list spares):
        """Read once, with the turn, and give that back: the next message, or None."""
        cdef list batch = None
        memory = spares.pop() if spares else None
        try:
            if memory is not None:
                batch = self._fill_inbox(memory, inbox, True, True)
                spares.append(memory)
        except Exception as error:
            driver.failed(error)
        except BaseException:
            driver.interrupted()
            raise
        finally:
            self._give_back(thread)
        if self.turn.is_asked or self.pump.has_more:
            driver.deliver()
        return None if batch is None else batch[0]

    cdef int _give_back(self, thread) except -1:
        """The turn, if nobody has done so."""
        if self.turn.holder == thread:
            self.turn.holder = None
            self.turn.lock.release()
        return 0

    cdef list _fill_inbox(self, memory, inbox, bint waits, bint takes):
        """Read once. `takes`: return a run that begins with the next message, whose rest is kept."""
        cdef MessageAssembler assembler = self.assembler
        cdef list first = None
        cdef list batch
        cdef int outcome
        cdef double now
        self.acquire()
        try:
            now = clock()
            outcome = self._fill(memory, now, waits)
            while outcome == SOMETHING:
                # What one read has brought is kept, but a little may become a lot.
                if (
                    assembler.inflater is not None or len(self.waiting) >= ENOUGH
                ) and inbox.is_full:
                    outcome = UNUSUAL
                    break
                batch = self._next_batch(&outcome)
                if batch is None:
                    break
                if assembler.failure is not None:
                    self.pump.hold_back()
                if takes and first is None and not inbox.discards and not len(self.waiting):
                    first = batch
                    batch = batch[1:]
                if batch:
                    self.release()
                    try:
                        inbox.messages(batch)
                    finally:
                        self._acquire_again()
                if not assembler.has_more():
                    break
            if outcome == UNUSUAL:
                # The buffer is for others, too.
                self.connection.keep_unread()
                self.pump.has_more = True
            return first
        finally:
            self.release()


cdef class Iteration:
    """Each message as it comes: those that are here without a detour."""

    cdef object inbox
    cdef object waiting
    cdef object popleft
    cdef Py_ssize_t few
    cdef object receive

    def __init__(self, inbox, receive):
        """`receive` waits for the next message, and raises StopIteration at the end."""
        self.inbox = inbox
        self.waiting = inbox.waiting
        self.popleft = inbox.waiting.popleft
        self.few = inbox.few
        self.receive = receive

    def __iter__(self):
        return self

    def __next__(self):
        if len(self.waiting):
            try:
                message = self.popleft()
            except IndexError:
                return self.receive()  # another thread was faster
            if len(self.waiting) <= self.few and self.inbox.was_full:
                self.inbox.look_for_room()
            return message
        return self.receive()
