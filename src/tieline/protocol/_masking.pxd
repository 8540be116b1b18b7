from libc.stdint cimport uint8_t


cdef void xor(
    uint8_t *target, const uint8_t *source, Py_ssize_t size, const uint8_t *key, Py_ssize_t offset
) noexcept nogil
