"""What optimizers have in common."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np

from cnnfast.nn import Parameter


class Optimizer:
    """Changes parameters by their gradients; `SGD` and `Adam` say how.

    Parameters
    ----------
    params : iterable of Parameter
        For instance ``model.parameters()``; read once.
    lr : float
        Learning rate; an attribute that may be changed at any time.

    Attributes
    ----------
    lr : float
    initial_lr : float or None
        What the schedules start from: the rate when the first of them was made.
    params : list of Parameter
    state : list of dict
        What is remembered of each parameter; empty before its first step.

    Raises
    ------
    TypeError
        `params` holds something else, or an argument is not a number.
    ValueError
        `params` is empty or holds one twice, or an argument is out of range.
    """

    #: What a parameter's state consists of: arrays of its shape, and "step", a count.
    state_names: tuple[str, ...] = ()

    def __init__(self, params: Iterable[Parameter], lr: float) -> None:
        self.params = list(params)
        if not self.params:
            raise ValueError(f"{self._name}: there are no parameters to optimize")
        for i, parameter in enumerate(self.params):
            if not isinstance(parameter, Parameter):
                raise TypeError(
                    f"{self._name}: params[{i}] must be a Parameter, got "
                    f"{type(parameter).__name__} (pass model.parameters())"
                )
        if len({id(parameter) for parameter in self.params}) < len(self.params):
            raise ValueError(f"{self._name}: params holds a parameter twice")
        self.lr = self._checked("lr", lr)
        self.initial_lr: float | None = None
        self.state: list[dict[str, Any]] = [{} for _ in self.params]

    def step(self) -> None:
        """Change every parameter that has a gradient and requires one."""
        with ExitStack() as stack:
            tensors: dict[np.dtype, list[tuple]] = {}
            for parameter, state in zip(self.params, self.state, strict=True):
                if parameter.grad is not None and parameter.requires_grad:
                    values = stack.enter_context(parameter.writable())
                    gradient = np.ascontiguousarray(parameter.grad)
                    tensor = (values, gradient, *self._remembered(values, state))
                    tensors.setdefault(values.dtype, []).append(tensor)
            for of_one_dtype in tensors.values():
                self._update(of_one_dtype)

    def _remembered(self, values: np.ndarray, state: dict[str, Any]) -> tuple:
        """Make `state` that of one more step; return what the kernel needs of it."""
        raise NotImplementedError

    def _update(self, tensors: list[tuple]) -> None:
        """Change the values of tensors (values, gradient, *remembered) of one dtype in place."""
        raise NotImplementedError

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.params:
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Copy the learning rate and what is remembered, under names such as "0.step"."""
        result: dict[str, Any] = {"lr": self.lr}
        for i, state in enumerate(self.state):
            for name, value in state.items():
                result[f"{i}.{name}"] = value if name == "step" else value.copy()
        return result

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a copy of what `state_dict` returned, or of that saved as ``.npz``.

        Raises
        ------
        ValueError
            `state` belongs to other parameters or to another kind of optimizer; nothing is
            changed.
        """
        state = dict(state)
        where = f"{self._name}.load_state_dict"
        if "lr" not in state:
            raise ValueError(f"{where}: missing: lr")
        lr = self._checked("lr", float(state.pop("lr")))
        loaded: list[dict[str, Any]] = [{} for _ in self.params]
        for key, value in state.items():
            index, _, name = key.partition(".")
            if (
                name not in self.state_names
                or not index.isdecimal()
                or int(index) >= len(self.params)
            ):
                raise ValueError(f"{where}: unexpected: {key}")
            parameter = self.params[int(index)]
            shape = () if name == "step" else parameter.shape
            if np.shape(value) != shape:
                raise ValueError(f"{where}: {key} has shape {np.shape(value)}, expected {shape}")
            loaded[int(index)][name] = (
                int(value) if name == "step" else np.array(value, parameter.dtype, order="C")
            )
        for i, entry in enumerate(loaded):
            if entry and len(entry) < len(self.state_names):
                missing = [name for name in self.state_names if name not in entry]
                raise ValueError(f"{where}: missing: {', '.join(f'{i}.{n}' for n in missing)}")
        self.lr, self.state = lr, loaded

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _checked(self, name: str, value: float, below: float = math.inf) -> float:
        """Check that `value` is a number in 0 <= value < below."""
        if not isinstance(value, numbers.Real) or isinstance(value, bool):
            raise TypeError(f"{self._name}: {name} must be a number, got {value!r}")
        if not 0 <= value < below:
            bound = "finite" if below == math.inf else f"less than {below}"
            raise ValueError(f"{self._name}: {name} must be at least 0 and {bound}, got {value!r}")
        return float(value)
