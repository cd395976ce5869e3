# Constants of programs that are dates, times, or times of day.

from libc.string cimport memset

from forstcore._core.machine cimport (
    FST_CLOCK,
    FST_DATE,
    FST_DONE,
    fst_cell,
    fst_datetime,
    fst_machine,
    fst_new_datetime,
)


cdef inline fst_cell moment_of(fst_machine *constants, object value, int kind) except *:
    """Make a constant of a date, a time or a time of day, as `kind` says."""
    cdef fst_datetime moment
    cdef fst_cell cell
    memset(&moment, 0, sizeof(moment))
    if kind == FST_CLOCK:
        moment.year, moment.month, moment.day = 1900, 1, 1      # see vm/clocks.h
    else:
        moment.year, moment.month, moment.day = value.year, value.month, value.day
    if kind != FST_DATE:
        moment.hour, moment.minute, moment.second = value.hour, value.minute, value.second
        moment.microsecond, moment.fold = value.microsecond, value.fold
        moment.has_zone = value.tzinfo is not None
    if moment.has_zone:
        offset = value.utcoffset()
        moment.offset = 86400 * offset.days + offset.seconds
    if fst_new_datetime(constants, &cell, kind, &moment) != FST_DONE:
        raise MemoryError()
    return cell
