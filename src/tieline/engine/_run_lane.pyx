# cython: language_level=3, freethreading_compatible=True
"""Small messages of one run → one buffer, which is written in one go."""

from cpython.bytes cimport PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE

from tieline.engine._lock cimport ReentrantLock
from tieline.engine._run_buffer cimport RunBuffer
from tieline.engine._small cimport (
    Small,
    frame_size,
    is_taken,
    prepare_key,
    small_of,
    write_header,
    write_payload,
)
from tieline.engine.sender cimport Sender
from tieline.engine.short_way cimport ShortWay
from tieline.protocol.outgoing cimport Outgoing
from tieline.errors import SendTimeout


cdef class RunLane(ShortWay):
    """The short way that nearly every message can take, made when the session is open.

    It looks if anything is out of the ordinary, and leaves all that is to the general way (`Sender`),
    with which it shares every buffer and counter. No Python code runs between its steps, so no
    signal handler comes in between either. Every method takes the session's lock, unless it finds
    that free and holds the interpreter, without which nobody can take it.
    """

    def __init__(self, Sender sender not None, bint may_send, int limit):
        self.is_open = True
        self.lock = sender._lock
        self.may_send = may_send
        self.sender = sender
        self.limit = limit
        deflater = sender._outgoing.deflater
        if deflater is not None and deflater.threshold <= limit:
            if deflater.threshold == 0:
                self.may_send = False  # even the empty ones are to be compressed
            else:
                self.limit = deflater.threshold - 1

    def close(self):
        """Nothing goes this way any more. With the lock held."""
        self.is_open = self.may_send = False

    def abandon_after_fork(self, ReentrantLock lock):
        """In a child process, maybe below a handler: the parent's lock may be held for ever."""
        self.is_open = self.may_send = False
        self.lock = lock

    def send_run(self, list messages):
        """Send those at the beginning that nothing is in the way of, together. Any thread.

        They are taken out of the list, also when it raises, as `Sender.message` does: unless the
        stream broke, and nobody has them.
        """
        cdef Py_ssize_t count, size = 0, total = 0, taken = 0, done = 0
        self.lock.enter()
        try:
            if not is_clear(self) or (has_waiting(self) and not is_corked(self)):
                return
            while taken < PyList_GET_SIZE(messages):
                count = self._gather_some(messages, taken, &size)
                if count == 0:
                    break
                taken += count
                total += size
                if self.sender.unwritten >= self.sender._write_limit:
                    self._push(size)
                    done = taken
                # A write may have waited for room, and been told of the end.
                if not is_clear(self):
                    break
            if self.sender.unwritten:
                self._push(total)
            done = taken
        except SendTimeout:
            done = taken  # they are in the buffer
            raise
        finally:
            self._end_run()
            del messages[:done]
            self.lock.leave()

    cdef int _push(self, Py_ssize_t size) except -1:
        """`Sender._push`, which leaves it to the end to tell that the stream broke."""
        cdef Sender sender = self.sender
        sender._push(size)
        if sender.error is not None:
            sender.check_unbroken()
        return 0

    cdef bint _gather(self, int opcode, const uint8_t *payload, Py_ssize_t size) except -1:
        """Put a handler's message to the others of this run. False: it cannot be sent now."""
        cdef RunBuffer gathered = self._gathering()
        cdef Outgoing outgoing = self.sender._outgoing
        cdef Py_ssize_t added = frame_size(size, outgoing.masked)
        cdef uint8_t *end
        if gathered is None:
            return False
        end = gathered.extend(added)
        end += write_header(end, opcode, size, outgoing.masked)
        write_payload(outgoing, end, payload, size)
        self._has_gathered(gathered, added)
        return True

    cdef Py_ssize_t _gather_some(
        self, list messages, Py_ssize_t first, Py_ssize_t *total
    ) except -1:
        """The same for messages from the `first` on: how many, and their `total` bytes.

        Up to one that goes another way, or as many as there are keys, or as it takes to write.
        """
        cdef Sender sender = self.sender
        cdef Outgoing outgoing = sender._outgoing
        cdef bint masked = outgoing.masked
        cdef Small small = small_of(<object>PyList_GET_ITEM(messages, first))
        cdef Py_ssize_t index = first, last, most, added = 0
        cdef RunBuffer gathered
        cdef uint8_t *end
        if not is_taken(small, self.limit):
            return 0
        gathered = self._gathering()
        if gathered is None:
            return 0
        last = PyList_GET_SIZE(messages)
        if masked:
            last = min(last, first + (PyBytes_GET_SIZE(outgoing.pool) - outgoing.used) // 4)
        most = min(
            GATHERED - gathered.size, sender._write_limit - sender.unwritten
        )
        total[0] = 0
        while True:
            added += frame_size(small.size, masked)
            total[0] += small.size
            index += 1
            if index >= last or added >= most:
                break
            small = small_of(<object>PyList_GET_ITEM(messages, index))
            if not is_taken(small, self.limit):
                break
        last = index
        # From here on nothing but memory is touched, of messages that the list holds.
        end = gathered.extend(added)
        for index in range(first, last):
            small = small_of(<object>PyList_GET_ITEM(messages, index))
            end += write_header(end, small.opcode, small.size, masked)
            end += write_payload(outgoing, end, small.payload, small.size)
        self._has_gathered(gathered, added)
        return last - first

    cdef RunBuffer _gathering(self):
        """What the next message goes to, for which there is a key. None: it cannot be sent now.

        Where Python's objects are made garbage may be collected, and a finalizer may have sent: the
        last key is taken then, or a message is begun into which no other may come.
        """
        cdef RunBuffer gathered = self.gathered
        cdef Sender sender = self.sender
        cdef Outgoing outgoing = sender._outgoing
        cdef bint is_still_clear = True
        prepare_key(outgoing)
        if outgoing._ready is not None:
            sender.extend_from(outgoing.take)
            is_still_clear = False
        if gathered is None or not sender.chunks or sender.chunks[-1] is not gathered:
            self._end_run()
            self.gathered = gathered = RunBuffer.__new__(RunBuffer)
            gathered.least = self.expected
            sender.add(gathered)
            prepare_key(outgoing)
            is_still_clear = False
        return gathered if is_still_clear or is_clear(self) else None

    cdef int _has_gathered(self, RunBuffer gathered, Py_ssize_t added) except -1:
        self.sender.unwritten += added
        if gathered.size >= GATHERED:
            self._end_run()
        return 0

    cdef int _end_run(self) except -1:
        """The next one gets memory of its own: a connection may be idle for long."""
        if self.gathered is not None:
            self.expected = min(self.gathered.size, GATHERED)
            self.gathered = None
        return 0
