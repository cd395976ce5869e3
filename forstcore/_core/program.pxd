# Compiled processors; see program.pyx.

from forstcore.native cimport fst_processor

cdef fst_processor COMPILED


cdef class Program:
    cdef readonly tuple places
    cdef object pattern_integers
    cdef object classes         # of constants, while they are made; and the constants
    cdef object described
    cdef void *program          # an fst_program
    cdef void *constants        # an fst_machine, in whose arena all that it refers to is kept

    cdef void *new_machine(self) except NULL
    cdef object stopped_at(self, const void *machine)
    cdef void *take(self, size_t size) except NULL
