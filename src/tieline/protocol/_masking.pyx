# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""The C way of `masking`: four words of eight bytes at a time, at any alignment."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy


cdef void xor(
    uint8_t *target, const uint8_t *source, Py_ssize_t size, const uint8_t *key, Py_ssize_t offset
) noexcept nogil:
    cdef uint8_t turned[4]
    cdef uint32_t narrow, last
    cdef uint64_t wide, word, second, third, fourth
    cdef Py_ssize_t i
    memcpy(&narrow, key, 4)
    if offset & 3:
        for i in range(4):
            turned[i] = key[(i + offset) & 3]
        memcpy(&narrow, turned, 4)
    # Not by way of memory: a processor waits when it reads at once what was written in parts.
    wide = <uint64_t>narrow << 32 | narrow
    i = 0
    # memcpy of a fixed size compiles to one unaligned load or store. All four words are read before
    # any is written, so that a compiler may take two of them at once.
    while i + 32 <= size:
        memcpy(&word, source + i, 8)
        memcpy(&second, source + i + 8, 8)
        memcpy(&third, source + i + 16, 8)
        memcpy(&fourth, source + i + 24, 8)
        word ^= wide
        second ^= wide
        third ^= wide
        fourth ^= wide
        memcpy(target + i, &word, 8)
        memcpy(target + i + 8, &second, 8)
        memcpy(target + i + 16, &third, 8)
        memcpy(target + i + 24, &fourth, 8)
        i += 32
    while i + 8 <= size:
        memcpy(&word, source + i, 8)
        word ^= wide
        memcpy(target + i, &word, 8)
        i += 8
    if i + 4 <= size:
        memcpy(&last, source + i, 4)
        last ^= narrow
        memcpy(target + i, &last, 4)
        i += 4
    while i < size:
        target[i] = source[i] ^ key[(i + offset) & 3]
        i += 1


cdef const uint8_t *_checked_key(bytes key) except NULL:
    if key is None or len(key) != 4:
        raise ValueError("a masking key has 4 bytes")
    return <const uint8_t *>PyBytes_AS_STRING(key)


def apply_mask(data, bytes key, Py_ssize_t offset=0):
    """Mask or unmask `data`, which starts `offset` bytes into its frame's payload."""
    cdef const uint8_t *key_bytes = _checked_key(key)
    cdef Py_buffer view
    cdef bytes masked
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        masked = PyBytes_FromStringAndSize(NULL, view.len)
        xor(<uint8_t *>PyBytes_AS_STRING(masked), <uint8_t *>view.buf, view.len, key_bytes, offset)
    finally:
        PyBuffer_Release(&view)
    return masked


def mask_into(bytearray frame not None, Py_ssize_t start, payload, bytes key, Py_ssize_t offset=0):
    """Write `payload`, masked with `key`, into `frame` from `start` to its end.

    `offset`: where `payload` starts within its frame's payload.
    """
    cdef const uint8_t *key_bytes = _checked_key(key)
    cdef uint8_t *target = frame
    cdef Py_buffer view
    PyObject_GetBuffer(payload, &view, PyBUF_SIMPLE)
    try:
        if start < 0 or len(frame) - start != view.len:
            raise ValueError(f"expected room for {view.len} bytes at {start}, frame has {len(frame)}")
        xor(target + start, <uint8_t *>view.buf, view.len, key_bytes, offset)
    finally:
        PyBuffer_Release(&view)
