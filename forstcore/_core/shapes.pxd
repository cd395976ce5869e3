# The shapes of records; see shapes.h for what they are, shapes.pyx for how they are learned.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from forstcore._core.filter cimport Condition, Program
from forstcore._core.marks cimport fst_is_plain_text, fst_marks
from forstcore.native cimport fst_member, fst_span, fst_value

cdef extern from "shapes.h" nogil:
    enum:
        FST_START
        FST_RECORD
        FST_GAP_BYTES
        FST_GAP_EVENTS
        FST_MOST_NODES
        FST_BEHIND
        FST_FLAT_WINDOW
        FST_OPENS
        FST_CLOSES
        FST_BEGINS

    ctypedef struct fst_event:
        uint8_t kind
        uint8_t at
        uint8_t name_at
        uint8_t name_size
        uint8_t plain
        uint8_t top
        uint16_t node

    ctypedef struct fst_gap:
        uint8_t *text
        fst_gap *then
        fst_gap *next
        fst_value *value
        uint32_t mask
        uint16_t target
        uint8_t size
        uint8_t marks
        uint8_t first_mark
        uint8_t event_count
        uint8_t takes_object
        fst_event *events

    ctypedef struct fst_flat:
        int count
        int read
        int before
        int behind
        fst_member *members
        size_t noted

    ctypedef struct fst_reader:
        bint is_usual
        fst_flat flat
        int mark
        int line
        const uint8_t *end
        const uint8_t *record_end
        fst_gap start
        fst_gap none
        fst_gap **gaps
        fst_value *values
        fst_marks marks

    ctypedef fst_gap *(*fst_find_gap)(
        fst_reader *, const fst_gap *, const uint8_t *, const uint8_t *, int) noexcept nogil
    void fst_begin_reader(fst_reader *, fst_find_gap) noexcept

    void fst_copy_value(fst_value *, const fst_value *) noexcept
    bint fst_is_gap(const fst_gap *, const uint8_t *) noexcept
    uint32_t fst_text_mask(int) noexcept
    bint fst_read_record(fst_reader *, const uint8_t *, const uint8_t *, int) noexcept

cdef extern from "flat.h" nogil:
    bint fst_begin_flat(fst_reader *) noexcept
    const uint8_t *fst_read_flat(fst_reader *, const uint8_t *) noexcept
    const uint8_t *fst_note_and_read_flat(
        fst_reader *, const uint8_t *, const uint8_t *, int) noexcept
    const uint8_t *fst_noted_end(const fst_reader *, const uint8_t *) noexcept

cdef enum:
    NAME_BYTES = 64             # of the longest name that a node can have
    TABLE_SIZE = 2048           # twice the nodes, a power of two
    POOL_SIZE = 32
    # Enough to learn MOST_CHILDREN names, each with a gap before and behind its value.
    MOST_BALANCE = 1 << 16
    SHORTEST_PAUSE = 1 << 11    # bytes
    # Unless the next record is the expected flat one, its line has to be parsed. The cost of that,
    # in flat records that were found; the most that can be saved up; and, once nothing is left, the
    # number of records that are read by their marks.
    COST_OF_ANOTHER = 8
    MOST_FLAT_BALANCE = 64
    SHORTEST_FLAT_PAUSE = 8
    LONGEST_FLAT_PAUSE = 1 << 12


cdef struct Node:
    fst_gap *first              # the gap behind its value that was learned last
    int gap_count
    int parent
    int depth                   # objects around it
    int children
    bint opaque                 # whether an object there is taken as one value
    int filtered                # number of the filter's node for it, -1 for none
    const Condition *condition  # of the filter, NULL for none
    int name_size
    unsigned char name[NAME_BYTES]  # unescaped


# A value that a condition of the filter tests.
cdef struct WantedValue:
    const Condition *condition
    fst_value *value
    int node


cdef struct GapPool:
    GapPool *next
    int used
    fst_gap gaps[POOL_SIZE]


cdef struct Shapes:
    fst_reader reader           # first, so that a pointer to it is one to the shapes
    uint64_t number             # of these shapes: no others of the process have it
    uint64_t stream             # number of the stream that they are of
    int patience                # calls for other streams that they may still be in the way of
    Node *nodes
    int count                   # nodes
    int room                    # nodes that memory has been allocated for
    GapPool *pool
    fst_gap *unused             # gaps of the pool
    const Program *filter       # NULL for none
    int condition_count
    WantedValue conditions[FST_MOST_NODES]
    int id                      # the node of the member "id", FST_START if there is none yet
    int data
    int searches                # what looking for gaps and learning them has cost in the record
    # A credit, in bytes whose parsing costs as much: records that are read add to it; records that
    # are read in vain, and learning, take from it. Below zero, reading pauses: the next bytes are
    # parsed.
    int balance
    int pause                   # bytes of the next pause
    Py_ssize_t pause_left       # bytes of the current one
    int flat_balance            # below zero, records are not expected to be flat any more
    int flat_pause              # records that are read by their marks after that
    int flat_pause_left
    bint failed                 # nothing more can be learned
    uint16_t table[TABLE_SIZE]  # nodes by the hash of parent and name


cdef uint64_t next_number() noexcept nogil
cdef Shapes *take_shapes(
    uint64_t stream, const Program *filter, bint insists) noexcept nogil
cdef void keep_shapes(Shapes *shapes) noexcept nogil
cdef Shapes *new_shapes(const Program *filter) noexcept nogil
cdef void free_shapes(Shapes *shapes) noexcept nogil
cdef const uint8_t *read_other(
    Shapes *shapes, const uint8_t *p, const uint8_t *limit, int path, bint *is_flat) noexcept nogil
cdef int find_node(
    const Shapes *shapes, int parent, const uint8_t *name, Py_ssize_t size) noexcept nogil


cdef inline bint is_plain(const Shapes *shapes, const fst_span *text) noexcept nogil:
    """Whether a text in the marked part of the input is ASCII without escapes."""
    return fst_is_plain_text(
        &shapes.reader.marks, <const uint8_t *>text.start, text.size)
