# Values in canonical form; see canonical.pyx.

from forstcore.native cimport fst_output, fst_record, fst_value

cdef void put_canonical(
    const fst_record *record, fst_output *output, const fst_value *value) noexcept nogil
