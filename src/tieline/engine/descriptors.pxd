cdef class Descriptors:
    cpdef void watch(self, int descriptor, int before, int events) except *

    cpdef list wait(self, double seconds, Py_ssize_t largest)

    cpdef void close(self) except *


cdef class Few(Descriptors):
    cdef object _poll

    cpdef void watch(self, int descriptor, int before, int events) except *

    cpdef list wait(self, double seconds, Py_ssize_t largest)


cdef class Many(Descriptors):
    cdef object _epoll

    cpdef void watch(self, int descriptor, int before, int events) except *

    cpdef list wait(self, double seconds, Py_ssize_t largest)

    cpdef void close(self) except *


cdef class Portable(Descriptors):
    cdef object _selector

    cpdef void watch(self, int descriptor, int before, int events) except *

    cpdef list wait(self, double seconds, Py_ssize_t largest)

    cpdef void close(self) except *
