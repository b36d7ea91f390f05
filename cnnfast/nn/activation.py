"""Activation layers and dropout; the formulas are in `cnnfast.functional`."""

from __future__ import annotations

import numpy as np

from cnnfast.functional._arguments import number
from cnnfast.functional.activation.relu import (
    leaky_relu,
    leaky_relu_backward,
    relu,
    relu_backward,
)
from cnnfast.functional.activation.sigmoid import sigmoid, sigmoid_gradient
from cnnfast.functional.activation.tanh import tanh, tanh_gradient
from cnnfast.functional.dropout import dropout, dropout_backward
from cnnfast.functional.softmax import (
    log_softmax,
    log_softmax_gradient,
    softmax,
    softmax_gradient,
)
from cnnfast.nn.backward import Backward
from cnnfast.nn.module import Module


class ReLU(Module):
    """y = max(0, x).

    Examples
    --------
    >>> ReLU()(np.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return relu(x)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y = self(x)
        # The output serves as well as the input, and the next layer keeps it anyway.
        return y, Backward.without_parameters(lambda grad: relu_backward(grad, y))


class LeakyReLU(Module):
    """y = x where x > 0, negative_slope * x elsewhere.

    Examples
    --------
    >>> LeakyReLU(0.5)(np.array([-1.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return leaky_relu(x, self.negative_slope)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y, slope = self(x), self.negative_slope
        kept = y if slope >= 0 else x  # a negative slope hides the sign of x
        return y, Backward.without_parameters(lambda grad: leaky_relu_backward(grad, kept, slope))

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class Sigmoid(Module):
    """y = 1 / (1 + exp(-x)).

    Examples
    --------
    >>> Sigmoid()(np.array([0.0])).tolist()
    [0.5]
    """

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return sigmoid(x)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y = self(x)
        return y, Backward.without_parameters(lambda grad: sigmoid_gradient(grad, y))


class Tanh(Module):
    """y = tanh(x).

    Examples
    --------
    >>> Tanh()(np.array([0.0])).tolist()
    [0.0]
    """

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return tanh(x)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y = self(x)
        return y, Backward.without_parameters(lambda grad: tanh_gradient(grad, y))


class Softmax(Module):
    """Probabilities along the axis `dim`.

    Examples
    --------
    >>> Softmax()(np.zeros((1, 4))).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return softmax(x, self.dim)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y, dim = self(x), self.dim
        return y, Backward.without_parameters(lambda grad: softmax_gradient(grad, y, dim))

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """Logarithms of the probabilities along the axis `dim`.

    Examples
    --------
    >>> LogSoftmax()(np.array([[1000.0, 0.0]])).tolist()
    [[0.0, -1000.0]]
    """

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return log_softmax(x, self.dim)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        y, dim = self(x), self.dim
        return y, Backward.without_parameters(lambda grad: log_softmax_gradient(grad, y, dim))

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Dropout(Module):
    """Drop elements at random in training: in ``forward``, after ``train()``, and only there.

    Parameters
    ----------
    p : float
        Probability of being dropped; the elements kept are divided by 1 - p.
    rng : numpy.random.Generator, optional
        Where the choice comes from; None makes a fresh one.

    Examples
    --------
    >>> layer = Dropout(0.5)
    >>> layer(np.ones(4)).tolist()
    [1.0, 1.0, 1.0, 1.0]
    >>> y, backward = layer.forward(np.ones(4))
    >>> set(y.tolist()) <= {0.0, 2.0}
    True
    """

    def __init__(self, p: float = 0.5, *, rng: np.random.Generator | None = None) -> None:
        self.p = number("Dropout", "p", p, 0, 1)
        self.rng = np.random.default_rng(rng)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return dropout(x, self.p, training=False)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Backward]:
        p = self.p
        y, mask = dropout(x, p, self.training, rng=self.rng, return_mask=True)
        return y, Backward.without_parameters(lambda grad: dropout_backward(grad, mask, p))

    def extra_repr(self) -> str:
        return f"p={self.p}"
