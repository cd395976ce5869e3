# Which of many filters let a record through, in one pass over it.
#
# The names in the paths of all filters are one tree. Each member of a record is looked up there
# once. Of the constants that filters want it to equal, a binary search finds the one that it
# equals, if any, and with it the filters that want it; other conditions are evaluated one by one.
# So a record costs about the same for any number of filters that test a member for equality.
#
# No Python object is made of a line: those that a filter lets through are noted as hits, and
# copied at the end of the batch.

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree, PyMem_RawRealloc
from libc.string cimport memcpy, memset

from forstcore._core.checks cimport check_first_init, check_initialized, checked_line_size
from forstcore._core.compare cimport Number, constant_of, is_fulfilled_by, read_number
from forstcore._core.filter cimport MOST_LEVELS, Condition, ConditionTree, Filter
from forstcore._core.json cimport BLANK, LF, NO_FAULT, Fault, bytes_ptr, skip_space, value_end
from forstcore._core.loop cimport read_record
from forstcore._core.members cimport read_name, read_value
from forstcore._core.native_processors cimport CALLS
from forstcore._core.node_names cimport child_of
from forstcore._core.reader cimport (
    MANY_BYTES,
    MANY_LINES,
    RecordReader,
    begin_records,
    go_on,
    read_line,
    use_shapes,
)
from forstcore._core.scan cimport fst_count_lf, fst_next_lf
from forstcore._core.scan_path cimport current_path
from forstcore._core.shapes cimport FST_CLOSES, Shapes, fst_gap, free_shapes, is_plain, new_shapes
from forstcore.native cimport (
    FST_ABSENT,
    FST_NUMBER,
    FST_OBJECT,
    FST_STRING,
    fst_member,
    fst_value,
)

from forstcore._core.merged_filters import as_tree, merged

cdef enum:
    # Lines of a batch for one filter. One that lets more through gets all lines of the batch.
    MOST_HITS = 512
    FEWEST_HITS = 4
    FIRST_ROOM = 64
    FEW_MEMBERS = 8
    # Below this many bytes, giving up the GIL costs more than the work.
    NOGIL_SIZE = 16384


@cython.final
cdef class FilterIndex(ConditionTree):
    """Select lines of batches for many filters at once.

    Args:
        filters: the filters.
        max_line_size: longest line in bytes, its LF not counted. A longer one is selected for every
            filter, to be found too long.

    Attributes:
        lines: lines of the last batch.
        records: records among them.

    Raises:
        ValueError: `max_line_size` is out of its range.

    Thread-safety: one owner.
    """

    def __init__(self, filters, /, *, max_line_size):
        cdef Filter each
        cdef int nodes = 1
        cdef int constants = 0
        cdef int posted = 0
        cdef int others = 0
        cdef int conditions = 0
        cdef int number
        cdef int place
        check_first_init(self.kept is not None)
        self.kept = []
        self.max_line_size = checked_line_size(max_line_size)
        self.filters = list(filters)
        self.count = len(self.filters)
        self.lines = self.records = 0
        root = merged(self.filters)
        # Breadth first, as `compile` does it.
        level = [root]
        for member in level:
            nodes += len(member.children)
            level += [member.children[name] for name in sorted(member.children)]
            member.equal = {key: member.equal[key] for key in sorted(member.equal)}
            constants += len(member.equal)
            posted += sum(len(wanting) for _, wanting in member.equal.values())
            others += len(member.others)
            conditions += member.is_tested
        self.compile(as_tree(root.children), conditions, constants, nodes)
        self.allocate(nodes, constants, posted, others)
        constants = posted = others = 0
        for place, member in enumerate(level):
            for _, wanting in member.equal.values():
                self.postings[constants].first = posted
                self.postings[constants].count = len(wanting)
                constants += 1
                for number in wanting:
                    self.posted[posted] = number
                    posted += 1
            self.members[place].others.first = others
            self.members[place].others.count = len(member.others)
            for number, node in member.others:
                self.others[others].filter = number
                self.others[others].condition = (<Filter>self.filters[number]).nodes[
                    <int>node].condition
                others += 1
        for number, each in enumerate(self.filters):
            self.states[number].needed = each.program.needed
            self.states[number].first_hit = -1
            if each.program.needed == 0:
                self.undemanding[self.undemanding_count] = number
                self.undemanding_count += 1

    def __dealloc__(self):
        PyMem_RawFree(self.states)
        PyMem_RawFree(self.members)
        PyMem_RawFree(self.others)
        PyMem_RawFree(self.postings)
        PyMem_RawFree(self.posted)
        PyMem_RawFree(self.undemanding)
        PyMem_RawFree(self.touched)
        PyMem_RawFree(self.chosen)
        PyMem_RawFree(self.hits)
        if self.shapes != NULL:
            free_shapes(self.shapes)

    def select(self, bytes lines not None, /):
        """Return what filters have to see of a batch.

        Args:
            lines: whole lines, each with its LF.

        Returns:
            For each filter that lets a line through its number, the lines, and how many records
            were left out: empty lines take the place of those, so that all others keep their
            numbers. Lines that are no records are there for every filter, and some for a filter
            that does not let them through, which has to be applied to them.
        """
        cdef bytes_ptr start = <bytes_ptr>PyBytes_AS_STRING(lines)
        cdef bytes_ptr end = start + len(lines)
        cdef FilterState *state
        cdef bint done
        cdef int i
        check_initialized(self.max_line_size)
        self.begin_batch(fst_count_lf(start, end))
        try:
            if end - start < NOGIL_SIZE:
                done = self.read_batch(start, end)
            else:
                with nogil:
                    done = self.read_batch(start, end)
            if not done:
                raise MemoryError()
            selected = []
            for i in range(self.chosen_count):
                state = &self.states[self.chosen[i]]
                if state.takes_all:
                    selected.append((self.chosen[i], lines, 0))
                else:
                    selected.append((
                        self.chosen[i], self.lines_of(state), self.records - state.record_count))
            return selected
        finally:
            for i in range(self.chosen_count):
                state = &self.states[self.chosen[i]]
                state.first_hit = -1
                state.hit_count = state.record_count = 0
                state.takes_all = False

    cdef int allocate(self, int nodes, int constants, int posted, int others) except -1:
        self.states = <FilterState *>PyMem_RawCalloc(self.count + 1, sizeof(FilterState))
        self.members = <MemberTests *>PyMem_RawCalloc(nodes, sizeof(MemberTests))
        self.others = <OtherCondition *>PyMem_RawCalloc(others + 1, sizeof(OtherCondition))
        self.postings = <Slice *>PyMem_RawCalloc(constants + 1, sizeof(Slice))
        self.posted = <int *>PyMem_RawCalloc(posted + 1, sizeof(int))
        self.undemanding = <int *>PyMem_RawCalloc(self.count + 1, sizeof(int))
        self.touched = <int *>PyMem_RawCalloc(self.count + 1, sizeof(int))
        self.chosen = <int *>PyMem_RawCalloc(self.count + 1, sizeof(int))
        if (self.states == NULL or self.members == NULL or self.others == NULL
                or self.postings == NULL or self.posted == NULL or self.undemanding == NULL
                or self.touched == NULL or self.chosen == NULL):
            raise MemoryError()
        return 0

    # ------------------------------------------------------------ reading

    cdef void begin_batch(self, Py_ssize_t lines) noexcept nogil:
        self.lines = lines
        self.records = 0
        self.hit_count = self.chosen_count = 0
        self.most_hits = <int>min(max(lines // 2, <Py_ssize_t>FEWEST_HITS), <Py_ssize_t>MOST_HITS)

    cdef bint read_batch(self, bytes_ptr start, bytes_ptr end) noexcept nogil:
        """Note hits for the lines of [start, end); return whether there was memory for them."""
        cdef bytes_ptr p = start
        cdef bytes_ptr lf
        cdef RecordReader reader
        cdef Fault fault
        cdef Py_ssize_t line = 0
        cdef bint marked
        cdef bint done = True
        cdef int reason
        cdef int path = current_path
        begin_records(&reader, &CALLS, end, path)
        if end - start >= MANY_BYTES or self.had_many_lines:
            if self.shapes == NULL:
                self.shapes = new_shapes(&self.program)
            if self.shapes != NULL and not self.shapes.failed:
                use_shapes(&reader, self.shapes, p)
        while p < end and done:
            reason = NO_FAULT
            lf = read_line(&reader, p, self.max_line_size, &marked)
            if lf == NULL:
                lf = fst_next_lf(p, end, path)
            self.begin_record()
            if marked:
                self.records += 1
                self.count_marked(reader.shapes)
                done = self.choose(p, lf, line)
            elif lf - p > self.max_line_size:
                done = self.choose_all(p, lf, line, False)
            else:
                reason = read_record(&reader, p, lf, &fault)
                if reason == NO_FAULT:
                    self.records += 1
                    if self.count_parsed(<bytes_ptr>reader.record.text.start, end, path):
                        done = self.choose(p, lf, line)
                    else:
                        done = self.choose_all(p, lf, line, True)
                elif reason != BLANK:
                    done = self.choose_all(p, lf, line, False)
            if reader.shapes != NULL:
                go_on(&reader)
            line += 1
            p = lf + 1
        if reader.shapes != NULL:
            self.shapes.pause_left = max(reader.resume - p, 0)
        self.had_many_lines = self.had_many_lines or line >= MANY_LINES
        return done

    cdef void begin_record(self) noexcept nogil:
        """Forget the last record."""
        self.touched_count = 0
        self.record += 1

    cdef void count_marked(self, Shapes *shapes) noexcept nogil:
        """Evaluate all conditions on the record that `read_line` has read."""
        cdef const fst_gap *gap
        cdef int count = 0
        cdef int i
        if shapes.condition_count <= FEW_MEMBERS:
            for i in range(shapes.condition_count):
                self.count_node(shapes, shapes.conditions[i].node)
            return
        # The cost must not depend on members that the record does not have.
        while True:
            gap = shapes.reader.gaps[count]
            count += 1
            for i in range(gap.event_count):
                if gap.events[i].kind != FST_CLOSES:
                    self.count_node(shapes, gap.events[i].node)
            if gap.value == NULL:
                return

    cdef void count_node(self, Shapes *shapes, int node) noexcept nogil:
        """Evaluate the conditions on a member, by its node among the shapes."""
        cdef fst_value *value = &shapes.reader.values[node]
        if shapes.nodes[node].condition == NULL or value.kind == FST_ABSENT:
            return
        value.plain = value.kind == FST_STRING and is_plain(shapes, &value.text)
        self.count_member(shapes.nodes[node].filtered, value)

    cdef bint count_parsed(self, bytes_ptr p, bytes_ptr limit, int path) noexcept nogil:
        """Evaluate all conditions on the valid object at `p`.

        Returns False if it has two members of the same name: of those the last one counts.
        """
        cdef int parents[MOST_LEVELS + 1]
        cdef int depth = 0
        cdef int child
        cdef fst_member member
        cdef fst_value *value = &member.value
        cdef Fault fault
        parents[0] = 0
        p = skip_space(p + 1)
        while True:
            if p[0] == c'}':
                if depth == 0:
                    return True
                depth -= 1
                p = skip_space(p + 1)
            else:
                p = read_name(p, limit, path, &member, &fault)
                if p == NULL:
                    return False        # unreachable: it was valid
                child = child_of(self.program.nodes, parents[depth], &member)
                if child:
                    if self.members[child].record == self.record:
                        return False
                    self.members[child].record = self.record
                if child and p[0] == c'{' and self.program.nodes[child].count:
                    value.kind = FST_OBJECT
                    if self.program.nodes[child].condition != NULL:
                        self.count_member(child, value)
                    depth += 1
                    parents[depth] = child
                    p = skip_space(p + 1)
                    continue
                if child:
                    p = read_value(p, limit, path, value, &fault)
                else:
                    p = value_end(p, limit, path, 1, &fault)
                if p == NULL:
                    return False
                if child and self.program.nodes[child].condition != NULL:
                    self.count_member(child, value)
                p = skip_space(p)
            if p[0] == c',':
                p = skip_space(p + 1)

    # ------------------------------------------------------------ evaluation

    cdef void count_member(self, int node, const fst_value *value) noexcept nogil:
        """Evaluate the conditions on a member."""
        cdef const Condition *condition = self.program.nodes[node].condition
        cdef const Slice *wanting
        cdef Number read
        cdef const Number *number = NULL
        cdef FilterState *state
        cdef int place
        cdef int i
        if value.kind == FST_NUMBER:
            read_number(&read, value)
            number = &read
        place = constant_of(condition, value, number)
        if place >= 0:
            wanting = &self.postings[condition.tests - self.tests + place]
            for i in range(wanting.first, wanting.first + wanting.count):
                state = &self.states[self.posted[i]]
                self.touch(state, self.posted[i])
                state.met += 1
        self.count_others(self.members[node].others, value, number)

    cdef void count_others(
            self, Slice others, const fst_value *value, const Number *number) noexcept nogil:
        cdef const OtherCondition *other
        cdef FilterState *state
        cdef int i
        for i in range(others.first, others.first + others.count):
            other = &self.others[i]
            state = &self.states[other.filter]
            if is_fulfilled_by(other.condition, value, number):
                if other.condition.needed:
                    self.touch(state, other.filter)
                    state.met += 1
            else:
                self.touch(state, other.filter)
                state.failed = True

    cdef void touch(self, FilterState *state, int number) noexcept nogil:
        if state.record != self.record:
            state.record = self.record
            state.met = 0
            state.failed = False
            self.touched[self.touched_count] = number
            self.touched_count += 1

    # ------------------------------------------------------------ hits

    cdef bint choose(self, bytes_ptr p, bytes_ptr lf, Py_ssize_t line) noexcept nogil:
        """Note the record in the line [p, lf) for all filters that let it through."""
        cdef const FilterState *state
        cdef bint done = True
        cdef int i
        for i in range(self.touched_count):
            state = &self.states[self.touched[i]]
            if not state.failed and state.met == state.needed:
                done = done and self.add_hit(self.touched[i], p, lf, line, True)
        for i in range(self.undemanding_count):
            if self.states[self.undemanding[i]].record != self.record:
                done = done and self.add_hit(self.undemanding[i], p, lf, line, True)
        return done

    cdef bint choose_all(
            self, bytes_ptr p, bytes_ptr lf, Py_ssize_t line, bint is_record) noexcept nogil:
        """Note the line [p, lf) for all filters."""
        cdef bint done = True
        cdef int i
        for i in range(self.count):
            done = done and self.add_hit(i, p, lf, line, is_record)
        return done

    cdef bint add_hit(
            self, int number, bytes_ptr p, bytes_ptr lf, Py_ssize_t line,
            bint is_record) noexcept nogil:
        cdef FilterState *state = &self.states[number]
        cdef Hit *hit
        cdef int room
        cdef void *grown
        if state.takes_all:
            return True
        if state.hit_count == self.most_hits:
            state.takes_all = True
            return True
        if self.hit_count == self.hit_room:
            room = max(2 * self.hit_room, <int>FIRST_ROOM)
            grown = PyMem_RawRealloc(self.hits, room * sizeof(Hit))
            if grown == NULL:
                return False
            self.hits = <Hit *>grown
            self.hit_room = room
        hit = &self.hits[self.hit_count]
        hit.start = p
        hit.size = lf + 1 - p
        hit.line = line
        hit.next = -1
        if state.first_hit < 0:
            state.first_hit = self.hit_count
            self.chosen[self.chosen_count] = number
            self.chosen_count += 1
        else:
            self.hits[state.last_hit].next = self.hit_count
        state.last_hit = self.hit_count
        state.hit_count += 1
        state.record_count += is_record
        self.hit_count += 1
        return True

    cdef bytes lines_of(self, const FilterState *state):
        """Return the lines of a filter's hits, with empty ones in place of the others."""
        cdef Py_ssize_t size = self.lines - state.hit_count
        cdef Py_ssize_t line = 0
        cdef const Hit *hit
        cdef unsigned char *out
        cdef bytes lines
        cdef int i = state.first_hit
        while i >= 0:
            size += self.hits[i].size
            i = self.hits[i].next
        lines = PyBytes_FromStringAndSize(NULL, size)
        out = <unsigned char *>PyBytes_AS_STRING(lines)
        i = state.first_hit
        while i >= 0:
            hit = &self.hits[i]
            memset(out, LF, hit.line - line)
            out += hit.line - line
            memcpy(out, hit.start, hit.size)
            out += hit.size
            line = hit.line + 1
            i = hit.next
        memset(out, LF, self.lines - line)
        return lines
