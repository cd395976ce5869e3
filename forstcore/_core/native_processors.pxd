# What the core does for native processors; see forstcore.h.

from forstcore.native cimport fst_calls, fst_output, fst_processor, fst_record

cdef fst_calls CALLS
cdef const fst_processor *processor_of(object capsule) except NULL
cdef int pass_on(void *state, const fst_record *record, fst_output *output) noexcept nogil
