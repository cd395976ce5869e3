# Learning the shapes of records: nodes for their members, gaps between their values.

from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc, PyMem_RawRealloc
from libc.stdint cimport uint8_t, uint16_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memset

from forstcore._core.filter cimport Program, child_named
from forstcore._core.json cimport skip_space, unescape
from forstcore._core.marks cimport fst_is_plain_text, fst_marks
from forstcore._core.members cimport set_absent

cdef enum:
    GAPS_OF_A_NODE = 6          # that are kept; then the oldest one goes for a new one
    LONGEST_SEARCH = 16         # places of the table that are looked at for one name
    FIRST_ROOM = 64             # nodes
    MOST_CHILDREN = 256         # names in one object; it is taken as one value if it has more
    # Depth of nested objects. A deeper object is read as one value, which filters cannot look into.
    MOST_LEVELS = 17
    # Compared with parsing a byte.
    COST_OF_A_SEARCH = 16
    COST_OF_LEARNING = 96
    SLOTS = 8
    # Number of calls for other streams that find a slot taken, until its shapes are dropped.
    PATIENCE = 64


cdef extern from "shared_slots.h" nogil:
    uint64_t fst_next_number() noexcept
    void *fst_exchange(void **, void *) noexcept


# ---------------------------------------------------------------- keeping

# Shapes that no call is using. A stream finds its own in the slot of its number, unless another
# stream has taken that slot since. The number of slots bounds the memory, however many streams
# there are: 1.3 MB for each slot, if its shapes have as many names and gaps as fit.
cdef void *slots[SLOTS]


cdef uint64_t next_number() noexcept nogil:
    return fst_next_number()


cdef Shapes *take_shapes(
        uint64_t stream, const Program *filter, bint insists) noexcept nogil:
    """Return the shapes of a stream, by its number, or empty ones.

    Returns NULL if there is no memory, or if there are none yet and the caller does not insist.
    """
    cdef void **slot = &slots[stream % SLOTS]
    cdef Shapes *shapes = <Shapes *>fst_exchange(slot, NULL)
    if shapes != NULL and shapes.stream != stream:
        shapes.patience -= 1
        if not insists and shapes.patience > 0:
            keep_shapes(shapes)
            return NULL
        free_shapes(shapes)
        shapes = NULL
    if shapes != NULL and shapes.failed:
        keep_shapes(shapes)         # to know that
        return NULL
    if shapes == NULL:
        shapes = new_shapes(filter)
        if shapes == NULL:
            return NULL
        shapes.stream = stream
    shapes.patience = PATIENCE
    return shapes


cdef void keep_shapes(Shapes *shapes) noexcept nogil:
    """Keep shapes for the next call of their stream."""
    cdef Shapes *other
    if shapes.failed:
        free_nodes(shapes)
    other = <Shapes *>fst_exchange(&slots[shapes.stream % SLOTS], shapes)
    if other != NULL:
        free_shapes(other)


cdef Shapes *new_shapes(const Program *filter) noexcept nogil:
    """Make empty shapes; return NULL if there is no memory."""
    cdef Shapes *shapes = <Shapes *>PyMem_RawMalloc(sizeof(Shapes))
    if shapes == NULL:
        return NULL
    fst_begin_reader(&shapes.reader, find_gap)
    set_absent(&shapes.reader.values[<int>FST_RECORD])
    shapes.number = fst_next_number()
    shapes.nodes = <Node *>PyMem_RawMalloc(FIRST_ROOM * sizeof(Node))
    shapes.pool = NULL
    shapes.unused = NULL
    shapes.filter = filter
    shapes.condition_count = 0
    shapes.id = shapes.data = FST_START
    shapes.balance = MOST_BALANCE
    shapes.pause = SHORTEST_PAUSE
    shapes.pause_left = 0
    shapes.flat_pause = SHORTEST_FLAT_PAUSE
    shapes.flat_pause_left = 0
    shapes.failed = False
    memset(shapes.table, 0, sizeof(shapes.table))
    if shapes.nodes == NULL:
        PyMem_RawFree(shapes)
        return NULL
    shapes.room = FIRST_ROOM
    shapes.count = 2
    memset(shapes.nodes, 0, 2 * sizeof(Node))
    shapes.nodes[<int>FST_START].filtered = -1
    shapes.nodes[<int>FST_RECORD].filtered = -1 if filter == NULL else 0
    return shapes


cdef void free_shapes(Shapes *shapes) noexcept nogil:
    free_nodes(shapes)
    PyMem_RawFree(shapes)


cdef void free_nodes(Shapes *shapes) noexcept nogil:
    cdef GapPool *pool = shapes.pool
    while pool != NULL:
        shapes.pool = pool.next
        PyMem_RawFree(pool)
        pool = shapes.pool
    PyMem_RawFree(shapes.nodes)
    shapes.nodes = NULL


# ---------------------------------------------------------------- flat records

cdef const uint8_t *read_other(
        Shapes *shapes, const uint8_t *p, const uint8_t *limit, int path,
        bint *is_flat) noexcept nogil:
    """Read the line at `p`, where `fst_read_flat` found no flat record.

    Args:
        is_flat: receives whether it is one after all: its stops had not been found.

    Returns:
        The LF of the line, NULL if it is not known.
    """
    cdef fst_flat *flat = &shapes.reader.flat
    cdef const uint8_t *lf = fst_noted_end(&shapes.reader, p)
    shapes.flat_balance = min(shapes.flat_balance + flat.read, <int>MOST_FLAT_BALANCE)
    flat.read = 0
    if shapes.flat_balance == MOST_FLAT_BALANCE:
        shapes.flat_pause = SHORTEST_FLAT_PAUSE
    if lf == NULL:
        lf = fst_note_and_read_flat(&shapes.reader, p, limit, path)
        if lf != NULL:
            return lf
        lf = fst_noted_end(&shapes.reader, p)
    is_flat[0] = False
    # A line whose end is not known is too long, or at the end of the input.
    if lf == NULL and limit - p <= 2 * FST_FLAT_WINDOW:
        return NULL
    # Flat records may have become rare.
    shapes.flat_balance -= COST_OF_ANOTHER
    if shapes.flat_balance < 0:
        flat.count = 0
        shapes.flat_pause_left = shapes.flat_pause
        shapes.flat_pause = min(2 * shapes.flat_pause, <int>LONGEST_FLAT_PAUSE)
    return lf


# ---------------------------------------------------------------- nodes

cdef inline uint64_t hash_of(int parent, const uint8_t *name, Py_ssize_t size) noexcept nogil:
    cdef uint64_t text = 0
    cdef uint64_t result = <uint64_t>size + (<uint64_t>parent << 32)
    cdef Py_ssize_t i
    for i in range(0, size, 8):
        memcpy(&text, name + i, min(size - i, 8))
        result = (result ^ text) * <uint64_t>0x9E3779B97F4A7C15
        result ^= result >> 29
    return result


cdef inline bint has_key(
        const Node *node, int parent, const uint8_t *name, Py_ssize_t size) noexcept nogil:
    return node.parent == parent and node.name_size == size and memcmp(
        node.name, name, size) == 0


cdef int find_node(
        const Shapes *shapes, int parent, const uint8_t *name, Py_ssize_t size) noexcept nogil:
    """Return the member of `parent` that has a name, which is unescaped; FST_START for none."""
    cdef uint64_t place = hash_of(parent, name, size)
    cdef int i, number
    for i in range(LONGEST_SEARCH):
        number = shapes.table[(place + i) & (TABLE_SIZE - 1)]
        if number == FST_START or has_key(&shapes.nodes[number], parent, name, size):
            return number
    return FST_START


cdef int add_node(Shapes *shapes, int parent, const uint8_t *name, int size) noexcept nogil:
    """Make a node for a new member; return FST_START if there can be no more."""
    cdef uint64_t place = hash_of(parent, name, size)
    cdef Node *node
    cdef const Node *above
    cdef int number = shapes.count
    cdef int i
    cdef int room
    cdef void *grown
    for i in range(LONGEST_SEARCH):
        if shapes.table[(place + i) & (TABLE_SIZE - 1)] == FST_START:
            break
    else:
        return FST_START
    place = (place + i) & (TABLE_SIZE - 1)
    if number == FST_MOST_NODES:
        return FST_START
    if number == shapes.room:
        room = 2 * number
        grown = PyMem_RawRealloc(shapes.nodes, room * sizeof(Node))
        if grown == NULL:
            return FST_START
        shapes.nodes = <Node *>grown
        shapes.room = room
    node = &shapes.nodes[number]
    above = &shapes.nodes[parent]
    memset(node, 0, sizeof(Node))
    node.parent = parent
    node.depth = above.depth + 1
    node.opaque = node.depth == MOST_LEVELS
    node.name_size = size
    memcpy(node.name, name, size)
    node.filtered = -1
    if above.filtered >= 0:
        node.filtered = child_named(shapes.filter, above.filtered, <const char *>name, size)
    if node.filtered >= 0:
        node.condition = shapes.filter.nodes[node.filtered].condition
        if node.condition != NULL:
            shapes.conditions[shapes.condition_count].condition = node.condition
            shapes.conditions[shapes.condition_count].value = &shapes.reader.values[number]
            shapes.conditions[shapes.condition_count].node = number
            shapes.condition_count += 1
    if parent == FST_RECORD and size == 2 and memcmp(name, b"id", 2) == 0:
        shapes.id = number
    if parent == FST_RECORD and size == 4 and memcmp(name, b"data", 4) == 0:
        shapes.data = number
    set_absent(&shapes.reader.values[number])
    shapes.table[place] = <uint16_t>number
    shapes.nodes[parent].children += 1
    shapes.count += 1
    return number


cdef void forget_members(Shapes *shapes, int node) noexcept nogil:
    """Take an object as one value from now on: it has a name of its own in each record."""
    cdef fst_gap *gap
    cdef int i
    if node == FST_RECORD or shapes.nodes[node].filtered >= 0:
        shapes.failed = True        # its members have to be found
        return
    shapes.nodes[node].opaque = True
    shapes.number = fst_next_number()
    # Any gap may lead to it.
    for i in range(shapes.count):
        while shapes.nodes[i].first != NULL:
            gap = shapes.nodes[i].first
            shapes.nodes[i].first = gap.next
            gap.next = shapes.unused
            shapes.unused = gap
        shapes.nodes[i].gap_count = 0
    shapes.reader.start.then = &shapes.reader.none


# ---------------------------------------------------------------- gaps

cdef fst_gap *new_gap(Shapes *shapes, int node) noexcept nogil:
    """Return memory for a gap behind the value of a node, as the first of its gaps."""
    cdef Node *before = &shapes.nodes[node]
    cdef GapPool *pool = shapes.pool
    cdef fst_gap **link = &before.first
    cdef fst_gap *gap
    if before.gap_count == GAPS_OF_A_NODE:
        while link[0].next != NULL:
            link = &link[0].next
        gap = link[0]
        link[0] = NULL
        before.gap_count -= 1
    elif shapes.unused != NULL:
        gap = shapes.unused
        shapes.unused = gap.next
    else:
        if pool == NULL or pool.used == POOL_SIZE:
            pool = <GapPool *>PyMem_RawMalloc(sizeof(GapPool))
            if pool == NULL:
                return NULL
            pool.next = shapes.pool
            pool.used = 0
            shapes.pool = pool
        gap = &pool.gaps[pool.used]
        pool.used += 1
    before.gap_count += 1
    gap.next = before.first
    before.first = gap
    return gap


cdef int member_named(
        Shapes *shapes, const fst_marks *marks, int parent, const uint8_t *name, Py_ssize_t size,
        fst_event *event) noexcept nogil:
    """Return the node of the member of `parent` whose name is [name, name + size) as it came."""
    cdef unsigned char text[NAME_BYTES]
    cdef int node
    event.name_size = <unsigned char>size
    event.plain = fst_is_plain_text(marks, name, size)
    if not event.plain and memchr(name, c'\\', size) != NULL:
        size = unescape(text, name, size)
        name = text
    node = find_node(shapes, parent, name, <int>size)
    if node == FST_START:
        if shapes.nodes[parent].children == MOST_CHILDREN:
            forget_members(shapes, parent)
            return FST_START
        node = add_node(shapes, parent, name, <int>size)
    return node


cdef fst_gap *find_gap(
        fst_reader *reader, const fst_gap *before, const uint8_t *p, const uint8_t *lf,
        int mark) noexcept nogil:
    """As fst_find_gap in shapes.h."""
    cdef Shapes *shapes = <Shapes *>reader
    cdef fst_gap *gap = shapes.nodes[before.target].first
    shapes.searches += COST_OF_A_SEARCH
    while gap != NULL:
        if fst_is_gap(gap, p):
            return gap
        gap = gap.next
    if shapes.failed:
        return NULL
    shapes.searches += COST_OF_LEARNING
    return learn_gap(shapes, before.target, p, lf, mark)


cdef fst_gap *learn_gap(
        Shapes *shapes, int node, const uint8_t *p, const uint8_t *lf, int mark) noexcept nogil:
    """Parse and keep the gap at `p`, behind the value of `node`.

    Returns NULL if it is none that can be kept: perhaps it is not valid.
    """
    cdef const fst_marks *marks = &shapes.reader.marks
    cdef fst_gap found
    cdef fst_gap *gap
    cdef fst_event *event
    cdef int parent = shapes.nodes[node].parent
    cdef const uint8_t *start = p
    cdef const uint8_t *name
    cdef Py_ssize_t size
    cdef int member
    cdef bint opened = False    # whether the last event was the start of an object
    found.event_count = found.marks = 0
    if node == FST_START:
        p = skip_space(p)
        if p[0] != c'{':
            return NULL
        found.events[0].kind = FST_OPENS
        found.events[0].name_at = found.events[0].name_size = found.events[0].plain = 0
        found.events[0].top = 0
        found.events[0].node = parent = FST_RECORD
        if p - start >= FST_GAP_BYTES:
            return NULL
        found.events[0].at = <unsigned char>(p - start)
        found.event_count = 1
        opened = True
        p += 1
    while True:
        p = skip_space(p)
        if p - start >= FST_GAP_BYTES or found.event_count == FST_GAP_EVENTS:
            return NULL
        event = &found.events[found.event_count]
        found.event_count += 1
        if p[0] == c'}':
            event.kind = FST_CLOSES
            event.top = shapes.nodes[parent].parent == FST_RECORD
            event.at = <unsigned char>(p - start)
            event.node = <uint16_t>parent
            parent = shapes.nodes[parent].parent
            opened = False
            p += 1
            if parent != FST_START:
                continue
            p = skip_space(p)
            if p != lf:
                return NULL
            p += 1
            found.target = FST_START
            found.marks += 1
            break
        if not opened:
            if p[0] != c',':
                return NULL
            p = skip_space(p + 1)
        if p[0] != c'"':
            return NULL
        name = p + 1
        size = marks.start + marks.at[mark + found.marks + 1] - name
        found.marks += 2
        if size > NAME_BYTES or name + size - start >= FST_GAP_BYTES:
            return NULL
        event.name_at = <unsigned char>(name - start)
        member = member_named(shapes, marks, parent, name, size, event)
        if member == FST_START:
            return NULL
        event.node = <uint16_t>member
        event.top = parent == FST_RECORD
        p = skip_space(name + size + 1)
        if p[0] != c':':
            return NULL
        p = skip_space(p + 1)
        if p - start >= FST_GAP_BYTES:
            return NULL
        event.at = <unsigned char>(p - start)
        if p[0] != c'{' or shapes.nodes[member].opaque:
            event.kind = FST_BEGINS
            found.target = member
            break
        event.kind = FST_OPENS
        parent = member
        opened = True
        p += 1
    if p - start > FST_GAP_BYTES:
        return NULL
    found.size = <uint8_t>(p - start)
    found.mask = fst_text_mask(found.size)
    found.first_mark = <uint8_t>(marks.start + marks.at[mark] - start)
    found.then = &shapes.reader.none
    found.value = NULL
    found.takes_object = True
    if found.target != FST_START:
        found.value = &shapes.reader.values[found.target]
        found.takes_object = shapes.nodes[found.target].opaque
    memcpy(found.text, start, found.size)
    gap = new_gap(shapes, node)
    if gap == NULL:
        return NULL
    found.next = gap.next
    gap[0] = found
    return gap
