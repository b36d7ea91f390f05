"""The instruction set: chosen once, at import, the best this machine has or CNNFAST_ISA's."""

import os

KNOWN = ("baseline", "avx2", "avx512", "neon")

cdef const cf_isa* chosen = cf_supported_isas()[0]


cdef const cf_kernels* kernels_for(Py_ssize_t itemsize) noexcept nogil:
    """The microkernels for float (itemsize 4) or double (8) in the chosen instruction set."""
    return &chosen.f32 if itemsize == 4 else &chosen.f64


def supported_isas():
    """Names of the instruction sets this machine can run, best first."""
    cdef const cf_isa* const* found = cf_supported_isas()
    names = []
    while found[0] != NULL:
        names.append(found[0].name.decode())
        found += 1
    return tuple(names)


def chosen_isa():
    """Name of the instruction set in use."""
    return chosen.name.decode()


def register_tile(Py_ssize_t itemsize):
    """Accumulators of the tile that a matrix product keeps in registers: rows, and elements."""
    cdef const cf_kernels* k = kernels_for(itemsize)
    return k.tile_rows, k.tile_vectors * k.lanes


def compiler():
    """Name and version of the compiler that built the microkernels."""
    return cf_compiler().decode()


def choose_isa(name):
    """Use the instruction set `name` from the next call of a kernel on."""
    global chosen
    names = supported_isas()
    if name not in names:
        reason = "this machine cannot run it" if name in KNOWN else "there is none of that name"
        raise ValueError(
            f"CNNFAST_ISA: {name!r} was asked for, but {reason}; choose one of {', '.join(names)}"
        )
    chosen = cf_supported_isas()[names.index(name)]


if os.environ.get("CNNFAST_ISA"):
    choose_isa(os.environ["CNNFAST_ISA"])
