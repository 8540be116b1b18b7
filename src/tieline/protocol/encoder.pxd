cimport cython


cdef class FrameEncoder:
    cdef object random_bytes
    cdef bint masked
    cdef bytes pool
    cdef Py_ssize_t used
    cdef readonly long long frames

    @cython.locals(
        length=Py_ssize_t, start=Py_ssize_t, rest=Py_ssize_t, i=cython.int, mask_bit=cython.int,
        frame=bytearray, head="unsigned char *", key=bytes, key_bytes="const unsigned char *"
    )
    cpdef bytearray encode(self, int opcode, object payload, bint fin=*)

    @cython.locals(first=cython.int, key=bytes)
    cpdef bytes encode_header(self, int opcode, object length, bint fin=*)

    cdef bytes _next_key(self)

    cdef void _refill(self) except *
