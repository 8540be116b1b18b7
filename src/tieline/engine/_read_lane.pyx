# cython: language_level=3, freethreading_compatible=True
"""The kernel → a session's decoder, by a thread that may wait in the very call that reads."""

import os

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.dict cimport PyDict_GetItemWithError
from cpython.list cimport PyList_GET_SIZE
from cpython.memoryview cimport PyMemoryView_GET_BUFFER
from cpython.object cimport PyObject
from libc.errno cimport EAGAIN, EINTR, errno

from tieline.engine._kernel cimport (
    MSG_DONTWAIT,
    MSG_WAITALL,
    PyThreadState_GetDict,
    SHUT_RDWR,
    SO_RCVTIMEO,
    SOL_SOCKET,
    c_recv,
    c_setsockopt,
    c_shutdown,
    clock,
    timeval,
)

from tieline.engine.receive_buffer cimport ReceiveBuffer
from tieline.engine.sender cimport Sender
from tieline.protocol.connection cimport Connection
from tieline.protocol.keepalive cimport Keepalive
from tieline.errors import MessageTooBig, ProtocolError
from tieline.protocol.events import MessageChunk
from tieline.transport.scratch import SIZE, ciphertext

cdef enum:
    # Microseconds for which a thread waits where nobody can wake it.
    PATIENCE = 5000
    # So many reads in a row had to wait, and found one message each: the next one need not ask first
    # whether there is something. What comes is a round trip's answer.
    ALONE = 8
    # Bytes: what reads of this size bring is no such answer.
    BIG = 16384
    # Of so many such answers one is timed, and counts for all of them.
    SAMPLE = 16
    # Bytes of ciphertext.
    SHORT = 4096

# Under this name a thread finds its memory for ciphertext.
cdef str SCRATCH = "tieline.transport.scratch.ciphertext"


cdef object of_thread(str key, local, str name):
    """An attribute of a `threading.local` that is never assigned again, quicker than by its name."""
    cdef PyObject *own = PyThreadState_GetDict()
    cdef PyObject *found
    if own == NULL:
        return getattr(local, name)
    found = PyDict_GetItemWithError(<object>own, key)
    if found == NULL:
        value = getattr(local, name)
        (<dict>own)[key] = value
        return value
    return <object>found


cdef class ReadLane(SendLane):
    """The short way in: shares the session's decoder with the general way (`Pump`).

    A system call for a selector costs as much as all else that a small message needs. So while
    messages come in quick succession, the thread waits for the next one without asking first.
    """

    def __init__(
        self, int descriptor, layer, Sender sender, bint may_send, Connection connection not None
    ):
        cdef timeval patience
        SendLane.__init__(self, descriptor, layer, sender, may_send)
        self.connection = connection
        patience.tv_sec = 0
        patience.tv_usec = PATIENCE
        self.can_wait = c_setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)
        ) == 0

    def close_descriptor(self, close):
        """`close` it; where a thread waits in a call on it, as soon as that has returned.

        Otherwise the call might read from what has got its number next.
        """
        self.lock.enter()
        try:
            self.is_open = self.may_send = False
            if self.is_waited_on:
                self.on_left = close
                c_shutdown(self.descriptor, SHUT_RDWR)
                return
        finally:
            self.lock.leave()
        close()

    cdef int _fill(self, ReceiveBuffer memory, bint waits) except -1:
        """Read once, into `memory` or to where a big message will stay: like `Pump`.

        With the lock held, which is let go in a wait.
        """
        cdef Py_buffer view
        cdef bytearray buffer
        if self.layer is not None:
            return self._fill_through(memory, waits)
        if self.connection.assembler.target is None:
            buffer = memory.buffer
            return self._fill_to(
                memory,
                buffer,
                PyByteArray_AS_STRING(buffer),
                PyMemoryView_GET_BUFFER(memory.view).len,
                waits,
            )
        PyObject_GetBuffer(self.connection.assembler.target, &view, PyBUF_WRITABLE)
        try:
            return self._fill_to(memory, None, <char *>view.buf, view.len, waits)
        finally:
            PyBuffer_Release(&view)

    cdef int _fill_to(
        self, ReceiveBuffer memory, bytearray buffer, char *data, Py_ssize_t size, bint waits
    ) except -1:
        cdef int error = 0
        # All of a big message's room is certain to be filled: a wait may be for all of it.
        cdef int how = MSG_WAITALL if buffer is None else 0
        cdef ssize_t count = self._read(data, size, waits, how, &error)
        if not self.is_open:
            return NOTHING
        if count > 0:
            return self._received(memory, buffer, count)
        if count == 0:
            return self._ended()
        return self._nothing(error)

    cdef int _fill_through(self, ReceiveBuffer memory, bint waits) except -1:
        """The same through TLS."""
        cdef int error = 0
        cdef bytearray buffer
        target = self.connection.assembler.target
        buffer = None if target is not None else memory.buffer
        if target is None:
            target = memory.view
        try:
            count = None
            if self.layer.has_buffered_input:
                count = self.layer.receive_into(target)
            if count is None:
                count = self._receive_through(target, waits, &error)
        except OSError as failure:
            failure.__traceback__ = None  # it would keep the memory
            self.connection.connection_lost(failure)
            return UNUSUAL
        if not self.is_open:
            return NOTHING
        if error:
            return self._nothing(error)
        if count is None:
            return NOTHING
        return self._received(memory, buffer, count) if count else self._ended()

    cdef object _receive_through(self, target, bint waits, int *error):
        """Read ciphertext once: what it comes to, as `TLSStream.receive_into`; or `error` is set."""
        cdef Py_buffer *view
        cdef ssize_t count
        # A signal handler may read from another stream meanwhile.
        cdef list spares = of_thread(SCRATCH, ciphertext, "spares")
        scratch = spares.pop() if spares else memoryview(bytearray(SIZE))
        try:
            view = PyMemoryView_GET_BUFFER(scratch)
            count = self._read(<char *>view.buf, view.len, waits, 0, error)
            if count < 0 or not self.is_open:
                return None
            error[0] = 0
            if count <= SHORT:  # a copy costs less than a view
                piece = PyBytes_FromStringAndSize(<char *>view.buf, count)
            else:
                piece = scratch[:count]
            self.layer.feed(piece, count < view.len)
            return self.layer.receive_into(target)
        finally:
            spares.append(scratch)

    cdef int _nothing(self, int error) except -1:
        """A read has failed with this."""
        if error == EAGAIN or error == EINTR:
            return NOTHING
        self.connection.connection_lost(OSError(error, os.strerror(error)))
        return UNUSUAL

    cdef ssize_t _read(
        self, char *data, Py_ssize_t size, bint waits, int how, int *error
    ) except -2:
        """Receive; with `waits`, wait for it if need be, in that case `how`. -1: `error` says why.

        With the lock held, which is let go in a wait.
        """
        cdef ssize_t count
        # Not while somebody will want to be told that the kernel has room again.
        waits = waits and self.can_wait and not self.sender.blocked
        if not waits or self.lonely < ALONE:
            # Without letting go of the interpreter: what does not wait is over sooner than that.
            count = c_recv(self.descriptor, data, size, MSG_DONTWAIT)
            error[0] = errno
            if count >= 0 or error[0] != EAGAIN or not waits:
                self.lonely = 0
                return count
        count = self._wait(data, size, how, error)
        if 0 < count < BIG:
            if self.lonely < ALONE:
                self.lonely += 1
        else:
            self.lonely = 0
        if count < 0:
            self.hot = 0
        return count

    cdef ssize_t _wait(self, char *data, Py_ssize_t size, int how, int *error) except -2:
        """Receive in a call that waits, `PATIENCE` at most. The lock is let go of meanwhile."""
        cdef ssize_t count
        self.is_waited_on = True
        self.lock.leave()
        with nogil:
            count = c_recv(self.descriptor, data, size, how)
            error[0] = errno
        try:
            self._acquire_again()
        finally:  # with the lock held, whatever has come
            self.is_waited_on = False
            if self.on_left is not None:
                on_left, self.on_left = self.on_left, None
                on_left()
        return count

    cdef int _received(self, ReceiveBuffer memory, bytearray buffer, ssize_t count) except -1:
        """So many bytes are in `buffer`, or (None) where the assembler wanted them."""
        cdef double now
        if self.hot < HOT:
            self.hot += 1
        self.bytes_read += count
        if self.connection.assembler.is_deaf:
            return SOMETHING
        now = clock()
        if buffer is None:
            self.connection.received_directly(count, now)
            memory.received(0)
            return SOMETHING
        (<Keepalive>self.connection.keepalive).heard(now)
        self.connection.assembler.feed(buffer, count)
        if count >= memory.watched_from:
            memory.received(count)
        return SOMETHING

    cdef int _ended(self) except -1:
        if self.sender.error is None:
            self.connection.receive_eof()
        else:
            # The kernel tells of a reset once, and it was a write that heard of it.
            self.connection.connection_lost(self.sender.error)
        return UNUSUAL

    cdef int _acquire_again(self) except -1:
        """Take the lock, which the caller will let go of whatever comes: also after Ctrl-C."""
        interrupt = None
        while True:
            try:
                self.lock.enter()
                break
            except BaseException as error:
                interrupt = error
        if interrupt is not None:
            raise interrupt
        return 0

    cdef list _next_batch(self, int *outcome):
        """The next run of messages, or None: `outcome` says what that means. With the lock held."""
        if self.connection.events or self.connection.assembler.is_deaf:
            outcome[0] = UNUSUAL
            return None
        try:
            item = self._decode()
        except (ProtocolError, MessageTooBig):
            outcome[0] = UNUSUAL  # it will be raised again there
            return None
        if type(item) is list:
            if PyList_GET_SIZE(<list>item) > 1:
                self.lonely = 0
            return <list>item
        outcome[0] = SOMETHING
        if item is not None:
            # As if nobody had looked.
            if type(item) is MessageChunk:
                self.connection.assembler.chunk = item
            else:
                self.connection.assembler.control = item
            outcome[0] = UNUSUAL
        return None

    cdef object _decode(self):
        """`next_batch`, timed; of messages that come alone one counts for several."""
        cdef double started
        cdef unsigned int weight = 1
        if self.lonely >= ALONE:
            self.batches += 1
            if self.batches % SAMPLE:
                return self.connection.assembler.next_batch()
            weight = SAMPLE
        started = clock()
        item = self.connection.assembler.next_batch()
        self.receive_seconds += weight * (clock() - started)
        return item
