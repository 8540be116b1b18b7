cdef class Delivery:
    cdef public object callbacks
    cdef public object _owner
    cdef public object _queue
    cdef public bint holds_back
    cdef object __weakref__
