"""Class scores as probabilities."""

import math

import numpy as np

from cnnfast.reference.elementwise import elementwise


def log_softmax(x: np.ndarray) -> np.ndarray:
    """Return log(softmax(x)) for each row of class scores (N, K).

    x[k] - log(sum of exp(x)); taking the row's maximum out of the sum keeps exp within range.
    """
    y = np.zeros(x.shape, x.dtype)
    for n, scores in enumerate(x.tolist()):
        top = max(scores)
        log_sum = math.log(sum(math.exp(score - top) for score in scores))
        for k, score in enumerate(scores):
            y[n, k] = score - top - log_sum
    return y


def log_softmax_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return grad - softmax(x) * (sum of grad), row by row."""
    probability = softmax(x.astype(np.float64))
    gx = np.zeros(x.shape, x.dtype)
    for n, row in enumerate(grad.tolist()):
        for k, g in enumerate(row):
            gx[n, k] = g - probability[n, k] * sum(row)
    return gx


def softmax(x: np.ndarray) -> np.ndarray:
    """Turn each row of class scores (N, K) into probabilities: exp(x[k]) / sum of exp(x).

    Examples
    --------
    >>> softmax(np.array([[0.0, math.log(3.0)]])).round(6).tolist()
    [[0.25, 0.75]]
    """
    return elementwise(math.exp, log_softmax(x.astype(np.float64))).astype(x.dtype)


def softmax_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return p * (grad - sum of p * grad), row by row, where p is softmax(x)."""
    probability = softmax(x.astype(np.float64))
    gx = np.zeros(x.shape, x.dtype)
    for n, row in enumerate(grad.tolist()):
        mean = sum(p * g for p, g in zip(probability[n].tolist(), row, strict=True))
        for k, g in enumerate(row):
            gx[n, k] = probability[n, k] * (g - mean)
    return gx
