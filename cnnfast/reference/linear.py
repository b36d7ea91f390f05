"""Fully connected."""

import numpy as np


def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """Connect all D inputs to K neurons: y[n, k] = bias[k] + sum over d of x[n, d] * weight[k, d].

    Parameters
    ----------
    x : ndarray of shape (N, D)
    weight : ndarray of shape (K, D)
    bias : ndarray of shape (K,), optional

    Returns
    -------
    ndarray of shape (N, K)

    Examples
    --------
    >>> x, weight = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]])
    >>> linear(x, weight, bias=np.array([0.0, 100.0])).tolist()
    [[11.0, 117.0]]
    """
    (N, D), K = x.shape, weight.shape[0]
    y = np.zeros((N, K), x.dtype)
    for n in range(N):
        for k in range(K):
            total = 0.0 if bias is None else float(bias[k])
            for d in range(D):
                total += float(x[n, d] * weight[k, d])
            y[n, k] = total
    return y


def linear_backward(
    grad: np.ndarray, x: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Send the gradient back along every product, as `conv2d_backward` does.

    Returns
    -------
    gx, gw, gb : ndarrays shaped as x, weight and bias
    """
    (N, D), K = x.shape, weight.shape[0]
    gx, gw, gb = np.zeros((N, D)), np.zeros((K, D)), np.zeros(K)
    for n in range(N):
        for k in range(K):
            gb[k] += grad[n, k]
            for d in range(D):
                gx[n, d] += grad[n, k] * weight[k, d]
                gw[k, d] += grad[n, k] * x[n, d]
    return gx.astype(x.dtype), gw.astype(x.dtype), gb.astype(x.dtype)
