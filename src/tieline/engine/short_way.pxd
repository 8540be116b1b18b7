cdef class ShortWay:
    cpdef bint send(self, object message) except -1

    cpdef object recv(self)
