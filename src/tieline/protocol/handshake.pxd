cimport cython


@cython.locals(by_name=dict)
cpdef tuple check_response(response, request, str key, url)
cpdef str accept_value(str key)
cpdef str make_key(bytes random_bytes)
