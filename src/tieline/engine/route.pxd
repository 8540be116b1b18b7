cimport cython


cdef class Target:
    cdef readonly object options
    cdef readonly object url
    cdef readonly tuple headers
    cdef readonly object place
    cdef readonly bint trusted
    cdef readonly object first

    cpdef object route(self)
    @cython.locals(base=Target)
    cpdef object request(self, authorization=*, cookies=*)
    cpdef bint keeps(self, request) except -1
    cpdef bint needs_no_login(self) except -1
    cpdef void store_cookies(self, headers) except *


cpdef Target target_of(options, text, headers)

cpdef void check_addresses(options) except *
