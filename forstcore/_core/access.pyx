# Access to the values of a record, nested ones included, for native processors.
#
# A record is known to be valid, so that what reads it cannot fail. Each function reads the bytes
# of one object or array once.

from forstcore._core.json cimport Fault, bytes_ptr, is_digit, skip_space
from forstcore._core.members cimport (
    find_member,
    read_member,
    read_value,
    set_absent,
    unescapes_to,
)
from forstcore._core.reader cimport RecordReader
from forstcore._core.shapes cimport FST_RECORD, FST_START, Shapes, find_node
from forstcore.native cimport (
    FST_ABSENT,
    FST_OBJECT,
    fst_element,
    fst_find,
    fst_items,
    fst_member,
    fst_path,
    fst_record,
    fst_span,
    fst_value,
)


cdef int find(
        const fst_record *record, const char *name, Py_ssize_t size,
        fst_value *value) noexcept nogil:
    cdef const RecordReader *reader = <const RecordReader *>record
    find_member(
        <bytes_ptr>record.text.start, name, size, value, reader.limit, reader.path)
    return value.kind != FST_ABSENT


cdef void get(
        const fst_record *record, const fst_value *object, const char *name, Py_ssize_t size,
        fst_value *value) noexcept nogil:
    cdef const RecordReader *reader = <const RecordReader *>record
    if object.kind == FST_OBJECT:
        find_member(
            <bytes_ptr>object.text.start, name, size, value, reader.limit, reader.path)
    else:
        set_absent(value)


cdef bint next_item(fst_items *items, fst_member *item) noexcept nogil:
    cdef const RecordReader *reader = <const RecordReader *>items.record
    cdef bytes_ptr p = skip_space(<bytes_ptr>items.at + 1)
    cdef Fault fault
    items.at = NULL
    if p[0] == c'}' or p[0] == c']':
        return False                # it is empty
    if items.named:
        p = read_member(p, reader.limit, reader.path, item, &fault)
    else:
        item.name.start = <const char *>p
        item.name.size = 0
        item.plain = 1
        p = read_value(p, reader.limit, reader.path, &item.value, &fault)
    if p != NULL and p[0] == c',':
        items.at = <const char *>p
    return True


cdef const char *name_end(const char *p) noexcept nogil:
    """Return the end of the name at `p` in a path."""
    while p[0] != 0 and p[0] != c'.' and p[0] != c'[':
        p += 1
    return p


cdef const char *read_index(const char *p, Py_ssize_t *index) noexcept nogil:
    """Read the digits at `p`; return the end of the brackets around them, or NULL."""
    cdef const char *start = p
    index[0] = 0
    while is_digit(<unsigned char>p[0]):
        if index[0] < <Py_ssize_t>1 << 40:      # more than any array has elements
            index[0] = index[0] * 10 + (p[0] - c'0')
        p += 1
    return p + 1 if p > start and p[0] == c']' else NULL


cdef int node_at(const Shapes *shapes, const char *path) noexcept nogil:
    """Return the node at a path; FST_START if no record had it yet, or if it is within a value."""
    cdef int node = FST_RECORD
    cdef const char *end
    while True:
        end = name_end(path)
        node = find_node(shapes, node, <const unsigned char *>path, end - path)
        if node == FST_START or end[0] == 0:
            return node
        if end[0] != c'.' or shapes.nodes[node].opaque:
            return FST_START
        path = end + 1


cdef void find_path(const fst_record *record, fst_path *path, fst_value *value) noexcept nogil:
    cdef const char *name = path.text
    cdef const char *p = name_end(name)
    cdef Py_ssize_t index
    if record.shape != 0:
        path.place = node_at((<const RecordReader *>record).shapes, name)
        if path.place != FST_START:
            path.shape = record.shape
            value[0] = record.values[path.place]
            return
    value[0] = fst_find(record, name, p - name)
    while value.kind != FST_ABSENT and p[0] != 0:
        if p[0] == c'.':
            name = p + 1
            p = name_end(name)
            get(record, value, name, p - name, value)
        elif p[0] == c'[' and (p := read_index(p + 1, &index)) != NULL:
            value[0] = fst_element(record, value[0], index)
        else:
            set_absent(value)


cdef bint is_text(const fst_span *string, const char *text, Py_ssize_t size) noexcept nogil:
    return unescapes_to(string, text, size)
