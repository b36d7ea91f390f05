"""Along one axis of a pool: which taps of their sources a run of targets sees.

Forward, the targets are outputs and their sources the input; backward it is the other way round.
"""
from cnnfast._ext.images cimport Axis

cdef struct Run:
    Py_ssize_t target, target_step, count  # the targets
    Py_ssize_t source, source_move         # the first's first source, and how far the next's is
    Py_ssize_t taps, source_step           # how many sources each has, and how far apart
    Py_ssize_t number, number_step         # of the first one's tap, and how it grows


cdef inline Run outputs_run(const Axis* a, Py_ssize_t o) noexcept nogil:
    """Output o, and the input under its taps."""
    cdef Run run
    cdef Py_ssize_t start = o * a.stride - a.before
    cdef Py_ssize_t first = 0 if start >= 0 else (-start + a.dilation - 1) // a.dilation
    cdef Py_ssize_t last = 0 if start >= a.size else (a.size - 1 - start) // a.dilation + 1
    run.target, run.target_step, run.count = o, 1, 1
    run.source, run.source_move, run.source_step = start + first * a.dilation, a.stride, a.dilation
    run.taps = max(min(last, a.kernel) - first, 0)
    run.number, run.number_step = first, 1
    return run


cdef inline Run inputs_run(const Axis* a, Py_ssize_t i) noexcept nogil:
    """Input element i, and the outputs whose taps it is under."""
    cdef Run run
    cdef Py_ssize_t shift = i + a.before
    cdef Py_ssize_t last = min(shift // a.stride, a.out - 1)
    cdef Py_ssize_t reach = shift - (a.kernel - 1) * a.dilation
    cdef Py_ssize_t first = 0 if reach <= 0 else (reach + a.stride - 1) // a.stride
    cdef Py_ssize_t every = 1
    # Only every so many outputs have a tap on it, not a gap between two.
    while every * a.stride % a.dilation:
        every += 1
    while first <= last and (shift - first * a.stride) % a.dilation:
        first += 1
    run.target, run.target_step, run.count = i, a.stride, 1
    run.source, run.source_move, run.source_step = first, 1, every
    run.taps = 0 if first > last else (last - first) // every + 1
    run.number = (shift - first * a.stride) // a.dilation
    run.number_step = -every * a.stride // a.dilation
    return run


cdef inline Run run_of(const Axis* a, Py_ssize_t target, bint backward) noexcept nogil:
    return inputs_run(a, target) if backward else outputs_run(a, target)


cdef inline Py_ssize_t list_runs(const Axis* a, bint backward, Run* runs) noexcept nogil:
    """List all targets of an axis, neighbours with the same taps together."""
    cdef Py_ssize_t targets = a.size if backward else a.out
    cdef Py_ssize_t phases = min(a.stride, targets) if backward else 1
    cdef Py_ssize_t phase, target, count = 0
    cdef Run* run
    cdef Run following
    for phase in range(phases):
        run, target = NULL, phase
        while target < targets:
            following = run_of(a, target, backward)
            if run != NULL and continues(run, &following):
                run.count += 1
            else:
                runs[count] = following
                run = &runs[count]
                count += 1
            target += phases
    return count


cdef inline bint continues(const Run* run, const Run* following) noexcept nogil:
    return run.taps == following.taps and (
        run.taps == 0
        or (
            run.number == following.number
            and run.source + run.count * run.source_move == following.source
        )
    )
