cimport cython


cdef class UpgradeExchange:
    cdef object _target
    cdef object _headers
    cdef object _limits
    cdef object _h11
    cdef object _request
    cdef object _switched
    cdef readonly dict values
    cdef bytes _trailing_data

    cdef _by_h11(self)
    cpdef receive_data(self, bytes data)


cdef dict _USUAL_NAMES
cdef dict _USUAL_LINES

cpdef bytes write_line(str target)
@cython.locals(found=tuple, section=bytes)
cpdef read_switch(bytes data, limits)
@cython.locals(
    end=Py_ssize_t, index=Py_ssize_t, section=bytes, reason=str, line=str, name=str, colon=str,
    value=str, known=str, found=tuple, lines=list, values=dict
)
cdef tuple _usual_switch(bytes data)
