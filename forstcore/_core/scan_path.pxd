# The scan path in use: one of the FST_ path numbers of scan.h.

cdef int current_path
