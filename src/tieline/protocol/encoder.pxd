cimport cython

from tieline._flag cimport flag


cdef class FrameEncoder:
    cdef object random_bytes
    cdef bytes pool
    cdef readonly long long frames
    cdef int used
    cdef flag masked

    @cython.locals(
        length=Py_ssize_t, start=Py_ssize_t, rest=Py_ssize_t, i=cython.int, mask_bit=cython.int,
        frame=bytearray, head="unsigned char *", key=bytes, key_bytes="const unsigned char *"
    )
    cpdef bytearray encode(self, int opcode, object payload, bint fin=*)

    @cython.locals(first=cython.int, key=bytes)
    cpdef bytes encode_header(self, int opcode, object length, bint fin=*)

    cdef bytes _next_key(self)

    cdef void _refill(self) except *
