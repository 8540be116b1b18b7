from tieline._flag cimport flag
from tieline.engine._send_lane cimport SendLane
from tieline.engine.receive_buffer cimport ReceiveBuffer
from tieline.protocol.connection cimport Connection

cdef enum:
    # So many reads in a row must have found something before a thread waits for the next one in
    # the very call that reads.
    HOT = 4

# What a read has come to.
cdef enum:
    NOTHING = 0
    SOMETHING = 1
    UNUSUAL = 2


cdef object of_thread(str key, object local, str name)


cdef class ReadLane(SendLane):
    cdef Connection connection
    # A thread waits in a call on the descriptor: what to do when that has returned.
    cdef object on_left
    # Statistics: bytes read here, and seconds spent in decoding.
    cdef readonly long long bytes_read
    cdef readonly double receive_seconds
    # How many reads in a row have found something; and how many had to wait, for one message each.
    cdef unsigned char hot
    cdef unsigned char lonely
    cdef unsigned char batches
    cdef flag is_waited_on
    cdef flag can_wait

    cdef int _fill(self, ReceiveBuffer memory, bint waits) except -1

    cdef int _fill_to(
        self, ReceiveBuffer memory, bytearray buffer, char *data, Py_ssize_t size, bint waits
    ) except -1

    cdef int _acquire_again(self) except -1

    cdef int _fill_through(self, ReceiveBuffer memory, bint waits) except -1

    cdef object _receive_through(self, target, bint waits, int *error)

    cdef ssize_t _read(
        self, char *data, Py_ssize_t size, bint waits, int how, int *error
    ) except -2

    cdef ssize_t _wait(self, char *data, Py_ssize_t size, int how, int *error) except -2

    cdef int _nothing(self, int error) except -1

    cdef int _received(self, ReceiveBuffer memory, bytearray buffer, ssize_t count) except -1

    cdef int _ended(self) except -1

    cdef list _next_batch(self, int *outcome)

    cdef object _decode(self)
