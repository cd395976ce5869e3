# Compiled processors; see program.pyx.

from forstcore.native cimport fst_processor

cdef fst_processor COMPILED
cdef int stopped_at(const void *machine) noexcept


cdef class Program:
    cdef readonly tuple lines
    cdef object pattern_integers
    cdef void *program          # an fst_program
    cdef void *constants        # an fst_machine, in whose arena all that it refers to is kept

    cdef void *new_machine(self) except NULL
    cdef void *take(self, size_t size) except NULL
