from libc.stdint cimport uint8_t

from tieline.engine._run_lane cimport RunLane
from tieline.transport.stream cimport Layer


cdef class SendLane(RunLane):
    # TLS over the socket, or None.
    cdef Layer layer
    cdef int descriptor
    cdef unsigned char sends

    cpdef bint send(self, object message) except -1

    cdef bint _send(self, int opcode, const uint8_t *payload, Py_ssize_t size) except -1

    cdef bint _send_alone(self, int opcode, const uint8_t *payload, Py_ssize_t size) except -1

    cdef ssize_t _write(self, const uint8_t *frame, Py_ssize_t total, bint *is_held) except -2

    cdef int _keep(
        self, const uint8_t *frame, Py_ssize_t total, ssize_t taken, Py_ssize_t size, int error
    ) except -1

    cdef int _add_rest(self, bytes rest) except -1
