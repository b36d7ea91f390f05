"""What a user runs: a network compiled for an input shape."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnfast._ext.threads import get_num_threads
from cnnfast.functional._arguments import FLOATS
from cnnfast.functional._memory import is_channels_last
from cnnfast.inference.fuse import fuse
from cnnfast.inference.profile import Profile, profile
from cnnfast.inference.program import Program
from cnnfast.nn import Module
from cnnfast.nn.module import positive

# Programs kept for batch sizes, memory orders and thread counts.
MOST_PROGRAMS = 8

Shape = tuple[int | None, ...]


def compile(model: Module, input_shape: Shape | Sequence[Shape], *, dtype: Any = None) -> Plan:
    """Turn a network into a plan that does nothing but run kernels.

    Batch normalisation is folded into the weights, additions and ReLUs into convolutions; branches
    write where their concatenation lies; all values share one block of memory; weights are packed
    once; and everything that the layers find out anew at each call is found out here. A batch
    whose values would not fit into the processor's caches runs in parts that do, where that pays.
    Dropout is off, as in every call of a module.

    Parameters
    ----------
    model : Module
        Any network. Layers that the plan does not know are called as they are.
    input_shape : tuple of int
        (N, C, H, W), or what the network takes. N may be None: then the plan takes any batch, and
        keeps what it has prepared for a few sizes. A sequence of shapes for several inputs.
    dtype : float32 or float64, optional
        Of the inputs; by default that of the parameters, float32 if there are none.

    Returns
    -------
    Plan
        ``y = plan(x)``.

    Raises
    ------
    TypeError, ValueError
        `model` is no module, or `input_shape` no shape that fits it.

    Examples
    --------
    >>> import cnnfast
    >>> from cnnfast import models
    >>> model = models.lenet5()
    >>> plan = cnnfast.compile(model, (None, 1, 28, 28))
    >>> x = np.ones((2, 1, 28, 28), np.float32)
    >>> plan(x).shape, bool(np.allclose(plan(x), model(x), atol=1e-5))
    ((2, 10), True)
    """
    if not isinstance(model, Module):
        raise TypeError(f"compile: model must be a Module, got {type(model).__name__}")
    plan = Plan(model, _shapes(input_shape), _dtype(model, dtype))
    plan.prepare()
    return plan


def _shapes(input_shape: Any) -> tuple[Shape, ...]:
    """One shape or several as several."""
    try:
        several = all(isinstance(s, (tuple, list)) for s in input_shape) and len(input_shape) > 0
        shapes = tuple(map(tuple, input_shape)) if several else (tuple(input_shape),)
    except TypeError:
        raise TypeError(f"compile: input_shape must be a tuple, got {input_shape!r}") from None
    for shape in shapes:
        if not shape or not all(isinstance(n, (int, np.integer)) for n in shape[1:]):
            raise TypeError(
                "compile: input_shape must consist of integers, the first of which may be None, "
                f"got {input_shape!r}"
            )
        if any(n is not None and n < 1 for n in shape):
            raise ValueError(f"compile: input_shape must be positive, got {input_shape!r}")
    return shapes


def _dtype(model: Module, dtype: Any) -> np.dtype:
    if dtype is None:
        return next((p.dtype for p in model.parameters()), np.dtype(np.float32))
    if np.dtype(dtype) not in FLOATS:
        raise TypeError(f"compile: dtype must be float32 or float64, got {dtype!r}")
    return np.dtype(dtype)


class Plan:
    """A compiled network; `compile` makes it. Call it with the network's inputs.

    A plan has one block of memory for what lies between input and output, so calls from several
    threads take turns. It belongs to the weights it was made from: when they change, it raises
    instead of answering.
    """

    def __init__(self, model: Module, shapes: tuple[Shape, ...], dtype: np.dtype) -> None:
        self._net = fuse(model)
        if len(shapes) != len(self._net.inputs):
            raise ValueError(
                f"compile: the network takes {len(self._net.inputs)} inputs "
                f"({', '.join(self._net.inputs)}), but input_shape has {len(shapes)} shapes"
            )
        self._shapes, self._dtype = shapes, dtype
        self._parameters = tuple(model.parameters())
        self._versions = [p.version for p in self._parameters]
        self._buffers = [(m, n, getattr(m, n)) for m in model.modules() for n in m._buffers]
        self._programs: OrderedDict[tuple, Program] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, *inputs: np.ndarray, out: np.ndarray | None = None) -> Any:
        """Run the network.

        Parameters
        ----------
        *inputs : numpy.ndarray
            Of the shapes and dtype that the plan was made for; any strides.
        out : numpy.ndarray, optional
            Where to write the output; only for networks with one.

        Returns
        -------
        numpy.ndarray or tuple of them
            What ``model(*inputs)`` returns; `out` if that is given.

        Raises
        ------
        TypeError, ValueError
            An input or `out` does not fit.
        RuntimeError
            The model's parameters or statistics have changed since the plan was made.
        """
        self._check_versions()
        arrays = [self._checked(i, x) for i, x in enumerate(inputs)]
        if len(arrays) != len(self._shapes):
            raise TypeError(f"plan: takes {len(self._shapes)} inputs, got {len(arrays)}")
        with self._lock:
            program = self._program(arrays)
            if out is None:
                results = program.run(arrays)
            elif any(np.may_share_memory(_checked_out(program, out), x) for x in arrays):
                out[...] = program.run(arrays)[0]  # parts that are still to come read the input
                return out
            else:
                results = program.run(arrays, (out,))
        return results[0] if len(results) == 1 else tuple(results)

    def prepare(self, batch: int = 1) -> None:
        """Do now what the first call with `batch` images in C order would do."""
        arrays = [np.zeros(size, self._dtype) for size in self._sizes(batch)]
        with self._lock:
            self._program(arrays)

    def profile(self, *inputs: np.ndarray, repeats: int = 10) -> Profile:
        """Measure every step on `inputs`, or the first part of them: the least time of `repeats`.

        Returns
        -------
        Profile
            A `StepTime` for each step; printed, a table of names, kernels, shapes and times.
        """
        self._check_versions()
        arrays = [self._checked(i, x) for i, x in enumerate(inputs)]
        with self._lock:
            return profile(self._program(arrays), arrays, positive("profile", "repeats", repeats))

    def explain(self, batch: int = 1) -> str:
        """Say what each step is, with its kernel, bytes and share of the time, for so many images.

        The times are measured, on random inputs; `batch` matters where N was left open. Of a batch
        that runs in parts it tells about the first.

        Examples
        --------
        >>> import cnnfast
        >>> from cnnfast import models
        >>> plan = cnnfast.compile(models.lenet5(), (1, 1, 28, 28))
        >>> print(plan.explain())  # doctest: +ELLIPSIS
        relu1    Conv2d+ReLU, ...
        """
        rng = np.random.default_rng(0)
        return str(
            self.profile(*(rng.standard_normal(s).astype(self._dtype) for s in self._sizes(batch)))
        )

    def _sizes(self, batch: int) -> list[tuple[int, ...]]:
        return [tuple(batch if n is None else n for n in shape) for shape in self._shapes]

    def _check_versions(self) -> None:
        if [p.version for p in self._parameters] != self._versions or any(
            getattr(module, name) is not array for module, name, array in self._buffers
        ):
            raise RuntimeError(
                "plan: the model's weights have changed since the plan was made; "
                "call cnnfast.compile again"
            )

    def _checked(self, i: int, x: np.ndarray) -> np.ndarray:
        """Check an input; copy it if its memory is in an order that no program is made for."""
        if not isinstance(x, np.ndarray):
            raise TypeError(f"plan: input {i} must be a NumPy array, got {type(x).__name__}")
        if x.dtype != self._dtype:
            raise TypeError(f"plan: input {i} must be {self._dtype}, got {x.dtype}")
        wanted = self._shapes[i] if i < len(self._shapes) else x.shape
        if len(x.shape) != len(wanted) or any(
            n is not None and n != m for n, m in zip(wanted, x.shape, strict=True)
        ):
            raise ValueError(f"plan: input {i} has shape {x.shape}, but the plan is for {wanted}")
        if x.flags.aligned and (x.flags.c_contiguous or (x.ndim == 4 and is_channels_last(x))):
            return x
        return np.ascontiguousarray(x)

    def _program(self, arrays: list[np.ndarray]) -> Program:
        key = (get_num_threads(), *((x.shape, x.strides) for x in arrays))
        program = self._programs.get(key)
        if program is None:
            program = self._programs[key] = Program(self._net, arrays)
            if len(self._programs) > MOST_PROGRAMS:
                self._programs.popitem(last=False)
        else:
            self._programs.move_to_end(key)
        return program


def _checked_out(program: Program, out: np.ndarray) -> np.ndarray:
    if len(program.results) > 1:
        raise ValueError(f"plan: out is for one output, the network has {len(program.results)}")
    ((shape, dtype),) = program.results
    if not isinstance(out, np.ndarray) or out.dtype != dtype or out.shape != shape:
        raise ValueError(f"plan: out must be a {dtype} array of shape {shape}, got {out!r}")
    return out
