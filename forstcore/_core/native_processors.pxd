# What the core does for native processors; see forstcore.h.

from forstcore.native cimport fst_calls, fst_processor

cdef fst_calls CALLS
cdef const fst_processor *processor_of(object capsule) except NULL
