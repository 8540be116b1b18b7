cimport cython


@cython.locals(by_name=dict)
cpdef tuple check_response(response, request, str key, url, dict known=*)
@cython.locals(name=str, found=dict)
cdef dict _by_name(tuple fields)
cpdef str accept_value(str key)
cpdef str make_key(bytes random_bytes)
