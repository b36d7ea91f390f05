"""The base of layers and networks."""

from __future__ import annotations

import copy
import operator
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from cnnfast.functional._arguments import FLOATS
from cnnfast.nn.backward import Backward
from cnnfast.nn.parameter import Parameter


class IncompatibleKeys(NamedTuple):
    """What ``load_state_dict(..., strict=False)`` passed over."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """A layer, or a network of them. Calling one leaves no trace in it.

    ``y = module(x)`` is inference. ``y, backward = module.forward(x)`` is for learning: ``gx =
    backward(gy)`` adds to the parameters' ``grad`` and returns the gradient of the input (see
    `Backward`), and everything it needs lives in ``backward``. So a module may be used twice in a
    network and from several threads. Arrays passed to ``forward`` must stay as they are until
    ``backward`` has run.

    A subclass defines both. Parameters, modules and registered buffers are found among its
    attributes; a list of modules belongs in a `Sequential`.

    Examples
    --------
    >>> class Scale(Module):
    ...     def __init__(self):
    ...         self.weight = Parameter(np.full(1, 3.0))
    ...
    ...     def __call__(self, x):
    ...         return self.weight.data * x
    ...
    ...     def forward(self, x):
    ...         weight = self.weight.data
    ...         def gradients(grad, needs):
    ...             return grad * weight, (grad * x).sum(keepdims=True)
    ...         return self(x), Backward.with_parameters(gradients, weight=self.weight)
    >>> scale = Scale()
    >>> y, backward = scale.forward(np.array([2.0]))
    >>> y.tolist(), backward(np.array([10.0])).tolist(), scale.weight.grad.tolist()
    ([6.0], [30.0], [20.0])
    """

    #: Whether ``forward`` is for training (dropout drops) or not; see `train` and `eval`.
    training: bool = True
    _buffers: tuple[str, ...] = ()

    def __call__(self, x: Any) -> Any:
        """Compute the output, for inference: dropout does nothing, nothing is kept.

        A module with several inputs takes them one after the other; one with several outputs
        returns a tuple.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no __call__")

    def forward(self, x: Any) -> tuple[Any, Backward]:
        """Compute the output, and what takes its gradient back to the input's."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward")

    # ------------------------------------------------------------------ what it consists of

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Go through the modules that are attributes of this one."""
        for name, value in tuple(vars(self).items()):
            if isinstance(value, Module):
                yield name, value

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Go through this module (named "") and all below, each once, names joined by dots."""
        yield from self._walk("", set())

    def _walk(self, path: str, seen: set[int]) -> Iterator[tuple[str, Module]]:
        if id(self) in seen:
            return
        seen.add(id(self))
        yield path, self
        for name, child in self.named_children():
            yield from child._walk(f"{path}.{name}" if path else name, seen)

    def modules(self) -> Iterator[Module]:
        """Go through this module and all below, each once."""
        for _, module in self.named_modules():
            yield module

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Go through the parameters, each once, under names such as ``conv1.weight``."""
        for name, value, _ in self._named_state():
            if isinstance(value, Parameter):
                yield name, value

    def parameters(self) -> Iterator[Parameter]:
        """Go through the parameters, each once."""
        for _, parameter in self.named_parameters():
            yield parameter

    def named_buffers(self) -> Iterator[tuple[str, np.ndarray]]:
        """Go through the buffers: arrays that are part of the state, but not learned."""
        for name, value, _ in self._named_state():
            if not isinstance(value, Parameter):
                yield name, value

    def register_buffer(self, name: str, array: np.ndarray) -> None:
        """Make `array` an attribute that is no parameter but part of the state."""
        if not isinstance(array, np.ndarray):
            raise TypeError(
                f"register_buffer: {name} must be a NumPy array, got {type(array).__name__}"
            )
        setattr(self, name, array)
        self._buffers = (*self._buffers, name)

    def _named_state(self) -> Iterator[tuple[str, Parameter | np.ndarray, Module]]:
        """Name, value and owner of each parameter (a shared one once) and each buffer."""
        seen = set()
        for path, module in self.named_modules():
            for name, value in tuple(vars(module).items()):
                if isinstance(value, Parameter):
                    if id(value) in seen:
                        continue
                    seen.add(id(value))
                elif name not in module._buffers:
                    continue
                yield f"{path}.{name}" if path else name, value, module

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copy all parameters and buffers, under the names of `named_parameters`."""
        return {
            name: (value.data if isinstance(value, Parameter) else value).copy()
            for name, value, _ in self._named_state()
        }

    def load_state_dict(
        self, state: Mapping[str, np.ndarray], strict: bool = True
    ) -> IncompatibleKeys:
        """Copy parameters and buffers from `state`, all of them or, on an error, none.

        Parameters
        ----------
        state : mapping of str to numpy.ndarray
            What `state_dict` returned, an opened ``.npz`` file, ... float32 and float64 are
            converted to what the module has.
        strict : bool
            Whether every name must occur on both sides. If not, the return value tells which do
            not.

        Raises
        ------
        ValueError
            Names that are missing or unexpected, or shapes that differ: all are listed.
        TypeError
            Only the dtypes do not fit.
        """
        if not isinstance(state, Mapping):
            raise TypeError(
                f"{type(self).__name__}.load_state_dict: state must be a mapping of names to "
                f"arrays, got {type(state).__name__}"
            )
        state = dict(state)  # an .npz file reads an array at every access
        entries = {name: (value, owner) for name, value, owner in self._named_state()}
        missing = [name for name in entries if name not in state]
        unexpected = [name for name in state if name not in entries]
        problems = []
        if strict:
            problems += [f"missing: {name}" for name in missing]
            problems += [f"unexpected: {name}" for name in unexpected]
        loaded, wrong_types = {}, []
        for name, (value, _) in entries.items():
            if name not in state:
                continue
            array = state[name]
            if not _convertible(array, value.dtype):
                found = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
                wrong_types.append(f"dtype: {name} is {found}, expected {value.dtype}")
            elif array.shape != value.shape:
                problems.append(f"shape: {name} is {array.shape}, expected {value.shape}")
            else:
                loaded[name] = array.astype(value.dtype, copy=not isinstance(value, Parameter))
        if problems or wrong_types:
            raise (ValueError if problems else TypeError)(
                f"{type(self).__name__}.load_state_dict: the state does not fit, nothing was "
                "loaded\n  " + "\n  ".join(problems + wrong_types)
            )
        for name, array in loaded.items():
            value, owner = entries[name]
            if isinstance(value, Parameter):
                value.assign(array)
            else:
                setattr(owner, name.rpartition(".")[2], array)
        return IncompatibleKeys(missing, unexpected)

    def astype(self, dtype: DTypeLike) -> Module:
        """Give a copy whose parameters and floating-point buffers have `dtype`.

        The original stays as it is, as with an array's ``astype``; so an optimizer must be made
        from the copy's parameters.
        """
        dtype = float_dtype("astype", dtype)
        converted = copy.deepcopy(self)
        for name, value, owner in tuple(converted._named_state()):
            if isinstance(value, Parameter):
                value._convert(dtype)
            elif value.dtype in FLOATS:
                setattr(owner, name.rpartition(".")[2], value.astype(dtype))
        return converted

    def train(self, mode: bool = True) -> Module:
        """Make ``forward`` train (or, with False, not) in this module and all below."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Make ``forward`` compute what ``__call__`` does, in this module and all below."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Let all parameters learn or, with False, freeze them.

        Frozen batch normalisation still keeps statistics while it trains; `eval` stops that.
        """
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters():
            parameter.grad = None

    # ------------------------------------------------------------------ text

    def extra_repr(self) -> str:
        """Describe the arguments, for ``repr``."""
        return ""

    def __repr__(self) -> str:
        children = [
            f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.named_children()
        ]
        if not children:
            return f"{type(self).__name__}({self.extra_repr()})"
        lines = [self.extra_repr(), *children] if self.extra_repr() else children
        return "\n  ".join([f"{type(self).__name__}(", *lines]) + "\n)"


def _convertible(array: object, dtype: np.dtype) -> bool:
    """Tell whether `array` may be loaded as `dtype`: floats as each other, the rest as is."""
    if not isinstance(array, np.ndarray):
        return False
    return array.dtype == dtype or (array.dtype in FLOATS and dtype in FLOATS)


def float_dtype(function: str, dtype: DTypeLike) -> np.dtype:
    """Check that `dtype` means float32 or float64."""
    if dtype is None or np.dtype(dtype) not in FLOATS:
        raise TypeError(f"{function}: dtype must be float32 or float64, got {dtype!r}")
    return np.dtype(dtype)


#: An image that any sensible window fits: with it constructors check what needs no real one.
LARGE_IMAGE = (2**19, 2**19)
#: The same by the number of axes.
LARGE_INPUT = {1: (2**38,), 2: LARGE_IMAGE, 3: (2**12, 2**12, 2**12)}


def positive(layer: str, name: str, value: int) -> int:
    """Check that `value` is an integer of 1 or more."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{layer}: {name} must be an integer, got {value!r}") from None
    if number < 1:
        raise ValueError(f"{layer}: {name} must be at least 1, got {value}")
    return number
