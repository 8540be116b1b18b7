# Small messages whose bytes are there as they are → frames, in memory that is there.
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from tieline.engine._kernel cimport (
    PyUnicode_1BYTE_DATA,
    PyUnicode_GET_LENGTH,
    PyUnicode_IS_COMPACT_ASCII,
    bytes_in,
    size_in,
)
from tieline.protocol._masking cimport xor
from tieline.protocol.outgoing cimport Outgoing

cdef enum:
    # Payloads of more bytes go the general way.
    LARGEST = 65535
    # The longest header of such a frame, its key included.
    HEADER = 8


cdef struct Small:
    # NULL: it goes the general way.
    const uint8_t *payload
    Py_ssize_t size
    int opcode


cdef inline Small small_of(object message) noexcept:
    """A message whose bytes are there as they are, and stay so while it lives."""
    cdef Small small
    small.payload = NULL
    small.size = small.opcode = 0
    if type(message) is bytes:
        small.opcode = 2
        small.size = PyBytes_GET_SIZE(message)
        small.payload = <const uint8_t *>PyBytes_AS_STRING(message)
    elif type(message) is str and PyUnicode_IS_COMPACT_ASCII(message):
        small.opcode = 1
        small.size = PyUnicode_GET_LENGTH(message)
        small.payload = <const uint8_t *>PyUnicode_1BYTE_DATA(message)
    return small


cdef inline bint is_taken(Small small, Py_ssize_t limit) noexcept nogil:
    """Does it go the short way?"""
    return small.payload != NULL and small.size <= limit


cdef inline Py_ssize_t frame_size(Py_ssize_t size, bint masked) noexcept nogil:
    """What a whole message of so many bytes becomes, up to `LARGEST`."""
    return size + (2 if size < 126 else 4) + (4 if masked else 0)


cdef inline Py_ssize_t write_header(
    uint8_t *head, int opcode, Py_ssize_t size, bint masked
) noexcept nogil:
    """A whole message's header, without the key: its length. Up to `LARGEST` bytes of payload."""
    head[0] = 0x80 | opcode
    if size < 126:
        head[1] = (0x80 if masked else 0) | size
        return 2
    head[1] = (0x80 if masked else 0) | 126
    head[2] = size >> 8
    head[3] = size & 0xFF
    return 4


cdef inline bint has_key(Outgoing outgoing) noexcept:
    """Is there a key for the next message, if it takes one?"""
    return not outgoing.masked or outgoing.used + 4 <= size_in(<PyObject *>outgoing.pool)


cdef inline int prepare_key(Outgoing outgoing) except -1:
    """Have a key for the next message. All that can fail."""
    if not has_key(outgoing):
        outgoing._refill()
    return 0


cdef inline Py_ssize_t write_payload(
    Outgoing outgoing, uint8_t *target, const uint8_t *payload, Py_ssize_t size
) noexcept:
    """A whole message behind its header, the key first, and count it: how many bytes."""
    cdef Py_ssize_t key = 0
    if outgoing.masked:
        key = 4
        memcpy(target, bytes_in(<PyObject *>outgoing.pool) + outgoing.used, 4)
        outgoing.used += 4
        xor(target + 4, payload, size, target, 0)
    else:
        memcpy(target, payload, size)
    outgoing.frames += 1
    outgoing._messages += 1
    outgoing._payload_bytes += size
    return key + size
