# What the core does for native processors: the functions that forstcore.h calls, the check of a
# processor's capsule, and a processor of its own that changes nothing.

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_IsValid, PyCapsule_New

from forstcore._core.access cimport find, find_path, get, is_text, next_item
from forstcore._core.canonical cimport put_canonical
from forstcore._core.json cimport bytes_ptr, unescape
from forstcore.native cimport (
    FST_ABI,
    FST_CAPSULE,
    FST_OK,
    fst_end,
    fst_output,
    fst_put,
    fst_record,
)

cdef enum:
    OLDEST_ABI = 1              # of the processors that still run


ABI = FST_ABI
"""The version of the C interface that native processors are built against."""


cdef Py_ssize_t unescape_call(char *to, const char *text, Py_ssize_t size) noexcept nogil:
    return unescape(<unsigned char *>to, <bytes_ptr>text, size)


CALLS.find = find
CALLS.unescape = unescape_call
CALLS.put_canonical = put_canonical
CALLS.find_path = find_path
CALLS.get = get
CALLS.next = next_item
CALLS.unescapes_to = is_text


cdef const fst_processor *processor_of(object capsule) except NULL:
    """Return the processor that a capsule holds.

    Raises:
        TypeError: it is no such capsule.
        ValueError: the processor was built for a newer version of forstcore.h.
    """
    cdef const fst_processor *processor
    if not PyCapsule_IsValid(capsule, FST_CAPSULE):
        raise TypeError(
            f"processor must be a capsule named {FST_CAPSULE.decode()}, not {capsule!r}")
    processor = <const fst_processor *>PyCapsule_GetPointer(capsule, FST_CAPSULE)
    if not OLDEST_ABI <= processor.abi <= FST_ABI or processor.size < sizeof(fst_processor):
        raise ValueError(
            f"the native processor was built for version {processor.abi} of forstcore.h; "
            f"this is version {FST_ABI}: build it again")
    if processor.process == NULL:
        raise ValueError("the native processor has no process function")
    return processor


cdef int pass_on(void *state, const fst_record *record, fst_output *output) noexcept nogil:
    fst_put(output, record.text.start, record.text.size)
    fst_end(output)
    return FST_OK


cdef fst_processor PASS
PASS.abi = FST_ABI
PASS.size = sizeof(fst_processor)
PASS.name = b"pass"
PASS.process = pass_on

# The result of a record is the record itself, without white space around it.
PASS_ON = PyCapsule_New(&PASS, FST_CAPSULE, NULL)
