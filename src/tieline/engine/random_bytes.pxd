cpdef bytes random_bytes(Py_ssize_t size)
