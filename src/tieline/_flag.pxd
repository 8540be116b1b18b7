# A flag of one byte: a `bint` takes four in every object that has one.
cdef extern from "<stdbool.h>":
    ctypedef bint flag "bool"
