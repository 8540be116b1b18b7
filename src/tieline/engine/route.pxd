cimport cython


cdef class Shared:
    cdef public object route
    cdef public bint has_no_login
    cdef readonly dict settings


cdef class Place:
    cdef readonly object url
    cdef readonly Place base
    cdef public object request
    cdef readonly Shared shared


cdef class Target:
    cdef readonly object options
    cdef readonly object url
    cdef readonly tuple headers
    cdef readonly Place place
    cdef readonly bint trusted
    cdef readonly object first

    @cython.locals(place=Shared)
    cpdef object route(self)
    @cython.locals(place=Place, base=Target)
    cpdef object request(self, authorization=*, cookies=*)
    cpdef bint keeps(self, request) except -1
    cpdef bint needs_no_login(self) except -1
    cpdef void store_cookies(self, headers) except *


@cython.locals(place=Place)
cpdef Target target_of(options, text, headers)

cpdef void check_addresses(options) except *
