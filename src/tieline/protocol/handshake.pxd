cimport cython


@cython.locals(by_name=dict, expected=str)
cpdef tuple check_response(response, request, str key, url, dict known=*)
@cython.locals(name=str, found=dict)
cdef dict _by_name(tuple fields)
@cython.locals(encoded=bytes)
cpdef str accept_value(str key)
@cython.locals(encoded=bytes)
cpdef str make_key(bytes random_bytes)
cpdef object answer_of(response, url, subprotocol=*, extensions=*)
