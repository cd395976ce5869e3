# What is declared of the machine that runs compiled processors; vm/run_program.h is its loop.
#
# Only program.pyx imports it: each module that does is compiled with the whole machine.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from forstcore._core.marks cimport fst_marks
from forstcore.native cimport fst_output, fst_record, fst_span, fst_value

cdef extern from "vm/run_program.h" nogil:
    enum:
        FST_DONE
        FST_OPCODE_COUNT
        FST_LIST
        FST_TUPLE
        FST_DICT
        FST_SET
        FST_PATTERN
        FST_INSTANCE
        FST_NAMED
        FST_FROZENSET
        FST_CLOCK
        FST_DATETIME
        FST_DATE
        FST_ASCII
        FST_WIDE
        FST_CLEAN

    ctypedef struct fst_cell:
        uint8_t type
        uint8_t flags
        uint32_t size
        void *object

    ctypedef struct fst_datetime:
        int32_t year
        int32_t month
        int32_t day
        int32_t hour
        int32_t minute
        int32_t second
        int32_t microsecond
        int32_t fold
        int32_t has_zone
        int32_t offset

    ctypedef struct fst_arena:
        pass

    ctypedef struct fst_list:
        uint32_t frozen

    ctypedef struct fst_dict:
        uint32_t frozen

    ctypedef struct fst_found:
        const fst_value *value
        int count

    ctypedef struct fst_instruction:
        uint16_t code
        uint16_t a
        uint16_t b
        uint16_t c

    ctypedef struct fst_names:
        fst_span *names
        int count
        int parent

    ctypedef struct fst_handler:
        uint16_t start
        uint16_t end
        uint16_t target
        uint16_t statuses

    ctypedef int fst_status

    ctypedef struct fst_machine:
        const fst_program *program
        const fst_record *record
        fst_output *output
        const fst_marks *marks
        int complete
        int plain
        int stopped_at
        fst_status stopped_with
        fst_cell *registers
        uint64_t shape
        fst_found *found
        fst_arena arena
        int other_context
        int64_t fuel

    ctypedef fst_status (*fst_native)(fst_machine *, fst_cell *, fst_cell *) noexcept nogil

    ctypedef struct fst_function:
        const char *name
        const char *parameters
        fst_native call

    ctypedef struct fst_program:
        const fst_instruction *code
        const fst_cell *constants
        const fst_names *paths
        const fst_span *pieces
        const fst_handler *handlers
        const fst_function *functions
        int code_count
        int constant_count
        int path_count
        int piece_count
        int handler_count
        int registers
        int variables
        void (*find)(fst_machine *, int, fst_value *) noexcept nogil
        void (*complete)(fst_machine *) noexcept nogil

    fst_status fst_run_program(fst_machine *) noexcept
    bint fst_is_too_deep(const fst_span *, int) noexcept
    void *fst_take(fst_machine *, size_t) noexcept
    void fst_empty_arena(fst_arena *) noexcept
    void fst_free_arena(fst_arena *) noexcept
    fst_cell fst_none() noexcept
    fst_cell fst_unset() noexcept
    fst_cell fst_duration(int64_t) noexcept
    uint8_t fst_flags_of_instance(int64_t) noexcept
    fst_cell fst_address_of_number(int64_t) noexcept
    fst_cell fst_decimal_of_parts(uint64_t, uint32_t, int, int) noexcept
    fst_cell fst_zone(int64_t) noexcept
    fst_cell fst_rules_of(fst_cell) noexcept
    fst_status fst_new_datetime(fst_machine *, fst_cell *, int, const fst_datetime *) noexcept
    fst_cell fst_bool(int) noexcept
    fst_cell fst_int(long long) noexcept
    fst_cell fst_float(double) noexcept
    fst_cell fst_str(const char *, size_t, int) noexcept
    fst_cell fst_big_integer(const char *, size_t, int) noexcept
    fst_cell fst_byte_string(const char *, size_t, int) noexcept
    fst_cell fst_object(int, void *) noexcept
    fst_list *fst_new_list(fst_machine *, size_t) noexcept
    fst_status fst_append(fst_machine *, fst_list *, fst_cell) noexcept
    fst_dict *fst_new_dict(fst_machine *, size_t) noexcept
    fst_status fst_dict_set(fst_machine *, fst_dict *, fst_cell *, fst_cell *) noexcept

cdef extern from "vm/functions.h" nogil:
    int FST_FUNCTION_COUNT
    const fst_function FST_FUNCTIONS[]

cdef extern from "vm/regex_load.h" nogil:
    int FST_REGEX_CODE_COUNT
    const char *FST_REGEX_NAMES[]
    void *fst_load_pattern(fst_machine *, const uint32_t *, size_t) noexcept

cdef extern from "vm/opcodes.h" nogil:
    const char *FST_OPCODE_NAMES[]
    const char *FST_OPCODE_OPERANDS[]
