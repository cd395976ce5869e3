# Compiled processors: the programs that forstcore.compiled makes of Python functions.
#
# A program runs like a native processor, without the GIL, for one record at a time; its loop is in
# vm/run_program.h. A record that it cannot process with certainty is given back, and the function
# itself processes that.

import re
from datetime import date, datetime, time, timedelta, timezone

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree
from libc.stdint cimport INT64_MAX, UINT64_MAX, uint8_t, uint32_t
from libc.string cimport memcpy

from forstcore._core.machine cimport (
    FST_ASCII,
    FST_CLEAN,
    FST_CLOCK,
    FST_DATE,
    FST_DATETIME,
    FST_DICT,
    FST_DONE,
    FST_FROZENSET,
    FST_FUNCTION_COUNT,
    FST_FUNCTIONS,
    FST_INSTANCE,
    FST_LIST,
    FST_NAMED,
    FST_OPCODE_COUNT,
    FST_OPCODE_NAMES,
    FST_OPCODE_OPERANDS,
    FST_PATTERN,
    FST_REGEX_CODE_COUNT,
    FST_REGEX_NAMES,
    FST_SET,
    FST_TUPLE,
    FST_WIDE,
    fst_address_of_number,
    fst_append,
    fst_big_integer,
    fst_bool,
    fst_byte_string,
    fst_cell,
    fst_decimal_of_parts,
    fst_dict,
    fst_dict_set,
    fst_duration,
    fst_empty_arena,
    fst_flags_of_instance,
    fst_float,
    fst_found,
    fst_free_arena,
    fst_handler,
    fst_instruction,
    fst_int,
    fst_is_too_deep,
    fst_list,
    fst_load_pattern,
    fst_machine,
    fst_names,
    fst_new_dict,
    fst_new_list,
    fst_none,
    fst_object,
    fst_program,
    fst_rules_of,
    fst_run_program,
    fst_str,
    fst_take,
    fst_unset,
    fst_zone,
)
from forstcore._core.members cimport set_absent
from forstcore._core.moments cimport moment_of
from forstcore._core.native_processors cimport CALLS
from forstcore._core.reader cimport RecordReader, list_members
from forstcore._core.run cimport GIVEN_BACK
from forstcore._core.shapes cimport FST_RECORD, FST_START, Shapes, find_node
from forstcore.native cimport (
    FST_ABI,
    FST_ABSENT,
    FST_OK,
    fst_find,
    fst_output,
    fst_processor,
    fst_record,
    fst_span,
    fst_value,
)
from forstcore._addresses import is_address, number_of
from forstcore._decimals import is_decimal, is_usual_context, parts_of
from forstcore._zones import is_zone, zone_changes

cdef enum:
    MOST_OPERANDS = 0xFFFF      # instructions, registers and so on: operands have 16 bits


OPCODES = {
    FST_OPCODE_NAMES[i].decode(): (i, FST_OPCODE_OPERANDS[i].decode())
    for i in range(FST_OPCODE_COUNT)
}
"""The number of each instruction, and the kinds of its operands; see vm/opcodes.h."""

FUNCTIONS = {
    FST_FUNCTIONS[i].name.decode(): (i, FST_FUNCTIONS[i].parameters.decode())
    for i in range(FST_FUNCTION_COUNT)
}
"""The number and the parameters of each function that programs can call; see vm/values.h."""

NO_VALUE = object()
"""Among the constants: a register that has none, or one for a value that is computed."""

REGEX_CODES = {FST_REGEX_NAMES[i].decode(): i for i in range(FST_REGEX_CODE_COUNT)}
"""The number of each instruction of regular expressions; see vm/regex_program.h."""


cdef class Program:
    """A compiled processor, for `RecordStream`.

    Args:
        code: instructions, each a code and three operands, as one sequence of integers.
        constants: None, bool, int, float, str, bytes, compiled regular expressions; list, tuple,
            dict, set and frozenset of these; NO_VALUE.
        paths: for each the names from the record down to a value.
        pieces: parts of the text of results.
        handlers: start, end and target of each handler, and the bits of the statuses it catches.
        registers: number of registers; the last ones hold the constants.
        variables: how many of them have no value at the start.
        places: for each instruction the place of the function that it belongs to; an attribute.
        pattern_integers: compiles a regular expression for vm/regex_load.h; None if there is none.
        classes: the number of the constant that describes a class, by the class.

    Raises:
        ValueError: an operand is out of its range, or a constant cannot be one.

    Thread-safety: immutable; each stream has its own machine.
    """

    def __cinit__(
            self, code, constants, paths, pieces, handlers, int registers, int variables, places=(),
            pattern_integers=None, classes=None):
        cdef fst_program *program
        cdef fst_cell *cells
        cdef fst_names *names
        cdef fst_span *spans
        cdef fst_handler *caught
        cdef fst_instruction *instructions
        cdef dict numbers = {}, first = {}
        cdef Py_ssize_t i, k
        self.constants = PyMem_RawCalloc(1, sizeof(fst_machine))
        if self.constants == NULL:
            raise MemoryError()
        (<fst_machine *>self.constants).fuel = INT64_MAX
        if max(len(code) // 4, len(constants), len(paths), len(pieces), registers) > MOST_OPERANDS:
            raise ValueError("the function is too long")
        check(code, {
            "r": registers, "k": len(constants), "p": len(paths), "t": len(pieces),
            "j": len(code) // 4, "f": FST_FUNCTION_COUNT, "n": registers + 1, "w": registers + 1,
            "i": MOST_OPERANDS + 1, "-": 1,
        })
        if not 0 <= variables <= registers - len(constants):
            raise ValueError("there are more variables and constants than registers")
        program = <fst_program *>self.take(sizeof(fst_program))
        self.program = program
        self.places = tuple(places)
        self.pattern_integers = pattern_integers
        self.classes = classes or {}
        program.find = find_value
        program.complete = complete
        program.functions = FST_FUNCTIONS
        program.registers = registers
        program.variables = variables
        program.constant_count = len(constants)
        program.handler_count = len(handlers)
        program.code_count = len(code) // 4
        program.path_count = len(paths)
        self.described = constants
        for i in range(0, len(code), 4):
            if code[i] == OPCODES["INSTANCE"][0] and not describes_class(constants[code[i + 3]]):
                raise ValueError(f"instruction {i // 4} makes an instance of no class")
            if code[i] in NAMES and type(constants[code[i + NAMES[code[i]]]]) is not str:
                raise ValueError(f"instruction {i // 4} names no field")
        cells = <fst_cell *>self.take(len(constants) * sizeof(fst_cell))
        program.constants = cells
        for i, value in enumerate(constants):
            k = first.setdefault(id(value), i)
            cells[i] = cell_of(self, value) if k == i else cells[k]
        names = <fst_names *>self.take(len(paths) * sizeof(fst_names))
        program.paths = names
        for i, path in enumerate(paths):
            numbers[path] = i
            names[i].count = len(path)
            names[i].parent = numbers.get(path[:len(path) - 1], -1)
            spans = <fst_span *>self.take(len(path) * sizeof(fst_span))
            for k, name in enumerate(path):
                spans[k] = text_of(self, name.encode())
            names[i].names = spans
        spans = <fst_span *>self.take(len(pieces) * sizeof(fst_span))
        program.pieces = spans
        for i, piece in enumerate(pieces):
            spans[i] = text_of(self, piece)
        caught = <fst_handler *>self.take(len(handlers) * sizeof(fst_handler))
        program.handlers = caught
        for i, (start, end, target, statuses) in enumerate(handlers):
            if not 0 < target < len(code) // 4:
                raise ValueError("a handler is out of the program")
            caught[i].start, caught[i].end = start, end
            caught[i].target, caught[i].statuses = target, statuses
        instructions = <fst_instruction *>self.take(len(code) // 4 * sizeof(fst_instruction))
        program.code = instructions
        for i in range(len(code) // 4):
            instructions[i].code, instructions[i].a = code[4 * i], code[4 * i + 1]
            instructions[i].b, instructions[i].c = code[4 * i + 2], code[4 * i + 3]
        self.classes = self.described = None     # They are for constants.

    def __dealloc__(self):
        if self.constants != NULL:
            fst_free_arena(&(<fst_machine *>self.constants).arena)
            PyMem_RawFree(self.constants)

    cdef void *take(self, size_t size) except NULL:
        """Return memory that lives as long as the program."""
        cdef void *memory = fst_take(<fst_machine *>self.constants, max(size, <size_t>1))
        if memory == NULL:
            raise MemoryError()
        return memory

    cdef void *new_machine(self) except NULL:
        cdef fst_program *program = <fst_program *>self.program
        cdef size_t registers = program.registers * sizeof(fst_cell)
        cdef size_t found = program.path_count * sizeof(fst_found)
        cdef fst_machine *machine = <fst_machine *>PyMem_RawCalloc(
            1, sizeof(fst_machine) + registers + found)
        if machine == NULL:
            raise MemoryError()
        machine.program = program
        machine.registers = <fst_cell *>(machine + 1)
        machine.found = <fst_found *>(<char *>(machine + 1) + registers)
        machine.other_context = not is_usual_context()
        memcpy(
            machine.registers + (program.registers - program.constant_count), program.constants,
            program.constant_count * sizeof(fst_cell))
        return machine

    cdef object stopped_at(self, const void *state):
        """Return where the last record was given back, and the status; None if none ran."""
        cdef const fst_machine *machine = <const fst_machine *>state
        cdef int at = machine.stopped_at
        return (self.places[at], <int>machine.stopped_with) if 0 <= at < len(self.places) else None


# ---------------------------------------------------------------- constants

cdef fst_span text_of(Program program, bytes text) except *:
    """Keep a text, with bytes behind it that vectors may read."""
    cdef fst_span span
    cdef char *copy = <char *>program.take(len(text) + 64)
    memcpy(copy, <const char *>text, len(text))
    span.start, span.size = copy, len(text)
    return span


cdef fst_cell cell_of(Program program, object value) except *:
    """Make a constant of a value."""
    cdef fst_span span
    if type(value) in program.classes:
        return instance_of(program, value)
    if value is NO_VALUE or value is None:
        return fst_none() if value is None else fst_unset()
    if value is True or value is False:
        return fst_bool(value)
    if type(value) is int:
        if -1 << 63 <= value < 1 << 63:
            return fst_int(value)
        span = text_of(program, abs(value).to_bytes(-(-value.bit_length() // 64) * 8, "little"))
        return fst_big_integer(span.start, span.size // 8, value < 0)
    if type(value) is float:
        return fst_float(value)
    if type(value) is str:
        span = text_of(program, value.encode())
        return fst_str(span.start, span.size, flags_of(value))
    if type(value) is bytes:
        span = text_of(program, value)
        return fst_byte_string(span.start, span.size, 0)
    if type(value) in (list, tuple):
        return fst_object(FST_LIST if type(value) is list else FST_TUPLE, list_of(program, value))
    if type(value) in (dict, set, frozenset):
        return fst_object(FST_DICT if type(value) is dict else FST_SET, dict_of(program, value))
    if type(value) is timedelta:
        return fst_duration(value // timedelta(microseconds=1))
    if type(value) is timezone:
        return fst_zone(value.utcoffset(None) // timedelta(seconds=1))
    if is_zone(value):
        return fst_rules_of(cell_of(program, zone_changes(value)))
    if type(value) in MOMENTS:
        return moment_of(<fst_machine *>program.constants, value, MOMENTS[type(value)])
    if is_address(value):
        return fst_address_of_number(number_of(value))
    if is_decimal(value):
        negative, coefficient, exponent = parts_of(value)
        return fst_decimal_of_parts(
            coefficient & UINT64_MAX, coefficient >> 64, exponent, negative)
    if isinstance(value, re.Pattern):
        return fst_object(FST_PATTERN, pattern_of(program, value))
    raise ValueError(f"a {type(value).__name__} cannot be a constant")


cdef fst_cell instance_of(Program program, object value) except *:
    """Make a constant of an instance of a class of the user."""
    cdef int number = program.classes[type(value)]
    cdef bint is_tuple = isinstance(value, tuple)
    fields = tuple([getattr(value, name) for name in program.described[number][1:]])
    cdef fst_cell cell = fst_object(
        FST_TUPLE if is_tuple else FST_INSTANCE, list_of(program, fields))
    cell.flags = FST_NAMED if is_tuple else fst_flags_of_instance(program.described[number][0])
    cell.size = number + 1
    return cell


cdef bint describes_class(object value):
    """Return whether a constant is what INSTANCE needs; see vm/instances.h."""
    return type(value) is tuple and [*map(type, value)] == [int] + [str] * (len(value) - 1)


cdef void *pattern_of(Program program, object value) except NULL:
    cdef const uint32_t[::1] integers = program.pattern_integers(value)
    cdef void *pattern = fst_load_pattern(
        <fst_machine *>program.constants, &integers[0], len(integers))
    if pattern == NULL:
        raise ValueError("a regular expression is malformed")
    return pattern


cdef int flags_of(str text) except -1:
    """Return the flags of a text; see FST_STR."""
    cdef bint is_clean = text.isprintable() and '"' not in text and "\\" not in text
    return (FST_ASCII if text.isascii() else FST_WIDE) | (FST_CLEAN if is_clean else 0)


cdef void *list_of(Program program, object value) except NULL:
    cdef fst_machine *machine = <fst_machine *>program.constants
    cdef fst_list *items = fst_new_list(machine, len(value))
    if items == NULL:
        raise MemoryError()
    for item in value:
        if fst_append(machine, items, cell_of(program, item)) != FST_DONE:
            raise MemoryError()
    items.frozen = 1
    return items


cdef void *dict_of(Program program, object value) except NULL:
    cdef fst_machine *machine = <fst_machine *>program.constants
    cdef fst_dict *members = fst_new_dict(machine, len(value))
    cdef fst_cell key, member = fst_none()
    if members == NULL:
        raise MemoryError()
    for name in value:
        key = cell_of(program, name)
        if type(value) is dict:
            member = cell_of(program, value[name])
        if fst_dict_set(machine, members, &key, &member) != FST_DONE:
            raise ValueError(f"a constant has the key {name!r}")
    members.frozen = FST_FROZENSET if type(value) is frozenset else 1
    return members


# ---------------------------------------------------------------- checking

MOMENTS = {datetime: FST_DATETIME, date: FST_DATE, time: FST_CLOCK}
ENDS = {OPCODES[name][0] for name in ("RETURN", "FINISH", "JUMP", "GIVE_BACK", "RAISE")}
ENTER, FUNCTION, TEMPORARIES = (OPCODES[name][0] for name in ("ENTER", "FUNCTION", "TEMPORARIES"))
NAMES = {OPCODES["FIELD"][0]: 3, OPCODES["SET_FIELD"][0]: 2, OPCODES["REPLACE_FIELD"][0]: 2}
KINDS = [operands for _, operands in OPCODES.values()]


def check(code, limits):
    """Check that no operand leads out of what the program has.

    Args:
        code: the instructions.
        limits: for each kind of operand the number that it has to be below.

    Raises:
        ValueError: one does, or the program does not end.
    """
    for at in range(0, len(code), 4):
        if not 0 <= code[at] < FST_OPCODE_COUNT:
            raise ValueError(f"instruction {at // 4} is unknown")
        operands = code[at + 1:at + 4]
        for kind, operand in zip(KINDS[code[at]], operands, strict=True):
            if not 0 <= operand < limits[kind]:
                raise ValueError(f"instruction {at // 4} has an operand out of its range")
        if code[at] == ENTER and not leads_to_function(code, operands):
            raise ValueError(f"instruction {at // 4} enters no function")
        if needed_registers(code[at], operands) > limits["r"]:
            raise ValueError(f"instruction {at // 4} needs registers that there are not")
    if len(code) < 4 or code[len(code) - 4] not in ENDS:
        raise ValueError("the program does not end")


def leads_to_function(code, operands):
    """Return whether an instruction ENTER leads to the end of a function, and behind itself."""
    at = 4 * operands[0]
    is_inside = operands[1] != 0 and at + 4 < len(code)
    return is_inside and code[at] == FUNCTION and code[at + 4] == TEMPORARIES


def needed_registers(code, operands):
    """Return how many registers there must be for an instruction with several in a row."""
    kinds = KINDS[code]
    if "w" not in kinds:
        return 0
    count = 3                   # of SLICE
    if code == OPCODES["CALL"][0]:
        parameters = FST_FUNCTIONS[operands[1]].parameters.decode().split(",")
        count = len([each for each in parameters if each not in ("", "*")])
    elif "n" in kinds:
        count = operands[kinds.index("n")]
    return operands[kinds.index("w")] + count


# ---------------------------------------------------------------- running

cdef void find_value(fst_machine *machine, int path, fst_value *value) noexcept nogil:
    """Find the value at a path; remember where it is in records with this shape."""
    cdef const fst_record *record = machine.record
    cdef const Shapes *shapes
    cdef const fst_names *names = &machine.program.paths[path]
    cdef fst_found *found = &machine.found[path]
    cdef int node = FST_RECORD
    cdef int i = 0
    if record.shape == 0:
        value[0] = fst_find(record, names.names[0].start, names.names[0].size)
        i = 1
    else:
        shapes = (<const RecordReader *>record).shapes
        if found.count == shapes.count:
            set_absent(value)
            return
        while i < names.count and (node == FST_RECORD or not shapes.nodes[node].opaque):
            node = find_node(
                shapes, node, <const uint8_t *>names.names[i].start, names.names[i].size)
            if node == FST_START:
                found.count = shapes.count
                set_absent(value)
                return
            i += 1
        value[0] = record.values[node]
        if i == names.count:
            found.value = &record.values[node]
            return
    while i < names.count and value.kind != FST_ABSENT:
        CALLS.get(record, value, names.names[i].start, names.names[i].size, value)
        i += 1


cdef void forget_paths(fst_machine *machine) noexcept nogil:
    """Forget where values are: the record has another shape than the last one."""
    cdef int i
    for i in range(machine.program.path_count):
        machine.found[i].value = NULL
        machine.found[i].count = -1
    machine.shape = machine.record.shape


cdef void complete(fst_machine *machine) noexcept nogil:
    if machine.record.shape != 0:
        list_members(<RecordReader *>machine.record)


cdef int run_compiled(void *state, const fst_record *record, fst_output *output) noexcept nogil:
    cdef fst_machine *machine = <fst_machine *>state
    cdef int status
    machine.record = record
    machine.output = output
    if record.shape != machine.shape:
        forget_paths(machine)
    machine.complete = record.shape == 0
    machine.plain = -1
    machine.marks = NULL
    if record.shape != 0:
        machine.marks = &(<const RecordReader *>record).shapes.reader.marks
    elif fst_is_too_deep(&record.text, 0):
        machine.stopped_at = -1
        return GIVEN_BACK           # Python functions do not accept it
    status = fst_run_program(machine)
    fst_empty_arena(&machine.arena)
    return FST_OK if status == FST_DONE else GIVEN_BACK


cdef void free_machine(void *state) noexcept nogil:
    fst_free_arena(&(<fst_machine *>state).arena)
    PyMem_RawFree(state)


COMPILED.abi = FST_ABI
COMPILED.size = sizeof(fst_processor)
COMPILED.name = b"compiled"
COMPILED.destroy = free_machine
COMPILED.process = run_compiled
