"""Normalisation."""

import math

import numpy as np

from cnnfast.reference.elementwise import elementwise


def moments(values: np.ndarray) -> tuple[float, float]:
    """Return the mean and the biased variance of the elements.

    Examples
    --------
    >>> moments(np.array([1.0, 5.0]))
    (3.0, 4.0)
    """
    numbers = [float(v) for v in values.ravel()]
    mean = math.fsum(numbers) / len(numbers)
    return mean, math.fsum((v - mean) ** 2 for v in numbers) / len(numbers)


def normalize(values: np.ndarray, eps: float) -> np.ndarray:
    """Shift and scale the elements to mean 0 and variance 1, but for eps."""
    mean, var = moments(values)
    return elementwise(lambda v: (v - mean) / math.sqrt(var + eps), values)


def normalize_backward(grad: np.ndarray, values: np.ndarray, eps: float) -> np.ndarray:
    """Follow grad back through `normalize`, element by element.

    With x^ the normalised elements, d x^_i / d x_j is ([i = j] - 1/n - x^_i x^_j / n) over the
    root of the variance.
    """
    _, var = moments(values)
    xhat = normalize(values, eps)
    gx = np.zeros(values.shape, values.dtype)
    for j in np.ndindex(values.shape):
        total = 0.0
        for i in np.ndindex(values.shape):
            total += float(grad[i]) * ((i == j) - (1 + float(xhat[i] * xhat[j])) / values.size)
        gx[j] = total / math.sqrt(var + eps)
    return gx


def batch_norm(
    x: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    eps: float = 1e-5,
) -> np.ndarray:
    """Normalise every channel of x (N, D, ...) with a given mean and variance; scale and shift it.

    Examples
    --------
    >>> batch_norm(np.array([[5.0]]), *(np.array([v]) for v in (3.0, 4.0, 10.0, 7.0)), eps=0)
    array([[17.]])
    """
    y = np.zeros(x.shape, x.dtype)
    for index in np.ndindex(x.shape):
        d = index[1]
        xhat = (float(x[index]) - float(mean[d])) / math.sqrt(float(var[d]) + eps)
        y[index] = xhat * float(weight[d]) + float(bias[d])
    return y


def batch_norm_train(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float = 1e-5
) -> np.ndarray:
    """Normalise every channel of x (N, D, ...) with its own mean and variance; scale and shift it.

    Examples
    --------
    >>> batch_norm_train(np.array([[1.0], [5.0]]), np.ones(1), np.zeros(1), eps=0).tolist()
    [[-1.0], [1.0]]
    """
    y = np.zeros(x.shape, x.dtype)
    for d in range(x.shape[1]):
        y[:, d] = normalize(x[:, d], eps) * weight[d] + bias[d]
    return y


def batch_norm_train_backward(
    grad: np.ndarray, x: np.ndarray, weight: np.ndarray, eps: float = 1e-5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of input, weight and bias of `batch_norm_train`."""
    gx = np.zeros(x.shape, x.dtype)
    gw, gb = np.zeros(weight.shape, x.dtype), np.zeros(weight.shape, x.dtype)
    for d in range(x.shape[1]):
        gx[:, d] = normalize_backward(grad[:, d] * weight[d], x[:, d], eps)
        gw[d] = (grad[:, d] * normalize(x[:, d], eps)).sum()
        gb[d] = grad[:, d].sum()
    return gx, gw, gb


def response_window(d: int, D: int, size: int) -> range:
    """List the channels that the window of channel d covers, of D there are.

    Examples
    --------
    >>> list(response_window(2, 6, 3)), list(response_window(0, 6, 4))
    ([1, 2, 3], [0, 1])
    """
    return range(max(0, d - size // 2), min(D, d + (size - 1) // 2 + 1))


def response(
    x: np.ndarray, n: int, d: int, i: tuple[int, ...], size: int, alpha: float, k: float
) -> float:
    """Return what `local_response_norm` raises to the power -beta."""
    window = response_window(d, x.shape[1], size)
    return k + alpha / size * sum(float(x[(n, c, *i)]) ** 2 for c in window)


def local_response_norm(
    x: np.ndarray, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> np.ndarray:
    """Divide by a power of the mean square over a window of channels.

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 2.0]).reshape(1, 3, 1)
    >>> local_response_norm(x, 1, alpha=1.0, beta=1.0).ravel().tolist()
    [0.5, 0.4, 0.4]
    """
    y = np.zeros(x.shape, x.dtype)
    for n, d, *i in np.ndindex(x.shape):
        index = (n, d, *i)
        y[index] = float(x[index]) * response(x, n, d, tuple(i), size, alpha, k) ** -beta
    return y


def local_response_norm_backward(
    grad: np.ndarray,
    x: np.ndarray,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
) -> np.ndarray:
    """Send each output's gradient to its own input and to those of its window."""
    gx = np.zeros(x.shape)
    for n, d, *i in np.ndindex(x.shape):
        g, v = float(grad[(n, d, *i)]), float(x[(n, d, *i)])
        base = response(x, n, d, tuple(i), size, alpha, k)
        gx[(n, d, *i)] += g * base**-beta
        for c in response_window(d, x.shape[1], size):
            slope = 2 * alpha / size * float(x[(n, c, *i)])
            gx[(n, c, *i)] += g * v * -beta * base ** (-beta - 1) * slope
    return gx.astype(x.dtype)
