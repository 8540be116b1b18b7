from tieline.engine._send_lane cimport SendLane
from tieline.engine.receive_buffer cimport ReceiveBuffer
from tieline.protocol.decoder cimport FrameDecoder
from tieline.protocol.keepalive cimport Keepalive
from tieline.protocol.messages cimport MessageAssembler

# What a read has come to.
cdef enum:
    NOTHING = 0
    SOMETHING = 1
    UNUSUAL = 2


cdef class ReadLane(SendLane):
    cdef object connection
    cdef list events
    cdef Keepalive keepalive
    cdef FrameDecoder decoder
    cdef MessageAssembler assembler
    cdef bint can_wait
    # How many reads in a row have found something; and how many had to wait, for one message each.
    cdef int hot
    cdef int lonely
    cdef unsigned int batches
    # A thread waits in a call on the descriptor: what to do when that has returned.
    cdef bint is_waited_on
    cdef object on_left
    # Statistics: bytes read here, and seconds spent in decoding.
    cdef readonly long long bytes_read
    cdef readonly double receive_seconds

    cdef int _fill(self, ReceiveBuffer memory, bint waits) except -1

    cdef int _fill_to(
        self, ReceiveBuffer memory, bytearray buffer, char *data, Py_ssize_t size, bint waits
    ) except -1

    cdef int _acquire_again(self) except -1

    cdef int _fill_through(self, ReceiveBuffer memory, bint waits) except -1

    cdef object _receive_through(self, target, bint waits, int *error)

    cdef ssize_t _read(self, char *data, Py_ssize_t size, bint waits, int *error) except -2

    cdef ssize_t _wait(self, char *data, Py_ssize_t size, int *error) except -2

    cdef int _nothing(self, int error) except -1

    cdef int _received(self, ReceiveBuffer memory, bytearray buffer, ssize_t count) except -1

    cdef int _ended(self) except -1

    cdef list _next_batch(self, int *outcome)

    cdef object _decode(self)
