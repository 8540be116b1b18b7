cimport cython


cdef dict _WITHOUT_REASON

cpdef object check_close(object code, object reason)

cpdef object answer_to(object received)

cpdef object close_for(object error, object code)

cpdef bytes encode_close(object close)

@cython.locals(code=cython.int)
cpdef object decode_close(bytes payload)
