"""A second opinion on every operation: float64 NumPy over whole arrays.

`cnnfast.reference` is the definition but too slow to sweep; this shares no code and no method with
it (nor anything with cnnfast) and is checked against it in test_oracle.py. Inputs of any dtype and
strides are taken as their exact float64 values; every result is float64. Padding is an int, a pair
or ((top, bottom), (left, right)). Convolution goes filter tap by filter tap over strided slices,
pooling by gathering windows with index tables.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

Pair = int | tuple[int, int]
Padding = int | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]]
Sides = tuple[tuple[int, int], tuple[int, int]]


# ---------------------------------------------------------------------------- geometry


def two(value: Pair) -> tuple[int, int]:
    """Spread an int over both axes."""
    first, second = np.broadcast_to(value, 2).tolist()
    return first, second


def sides(padding: Padding) -> Sides:
    """Give padding as ((top, bottom), (left, right))."""
    pads = np.asarray(padding)
    if pads.ndim == 1:
        pads = pads[:, None]
    (top, bottom), (left, right) = np.broadcast_to(pads, (2, 2)).tolist()
    return (top, bottom), (left, right)


def output_size(
    size: int,
    kernel: int,
    stride: int,
    pad: tuple[int, int],
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int:
    """Count window positions along one axis, by trying them."""
    span = dilation * (kernel - 1) + 1
    starts = np.arange(-pad[0], size + pad[1], stride)
    fits = starts + span <= size + pad[1]
    count = int(fits.sum())
    if ceil_mode and not (fits & (starts + span == size + pad[1])).any():
        # One window may hang over the end, if it starts on the input or on the padding before it.
        count += int((starts[count : count + 1] < size).sum())
    return count


class Windows(NamedTuple):
    """Where the taps of every window read, as tables of shape (OH, OW, taps)."""

    flat: np.ndarray  # position in the H*W plane; any valid position where inside is False
    inside: np.ndarray  # whether the tap reads the input rather than padding


def windows(
    shape: tuple[int, ...],
    kernel_size: Pair,
    stride: Pair,
    padding: Padding,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> Windows:
    """Tabulate the windows over planes of `shape` (..., H, W)."""
    positions, inside = [], []
    for size, kernel, step, pad, gap in zip(
        shape[-2:], two(kernel_size), two(stride), sides(padding), two(dilation), strict=True
    ):
        count = output_size(size, kernel, step, pad, gap, ceil_mode)
        at = (np.arange(count) * step - pad[0])[:, None] + np.arange(kernel) * gap
        positions.append(at.clip(0, size - 1))
        inside.append((at >= 0) & (at < size))
    rows, columns = positions
    flat = rows[:, None, :, None] * shape[-1] + columns[None, :, None, :]
    valid = inside[0][:, None, :, None] & inside[1][None, :, None, :]
    table = (*flat.shape[:2], flat.shape[2] * flat.shape[3])
    return Windows(flat.reshape(table), valid.reshape(table))


def gather(x: np.ndarray, at: Windows, fill: float) -> np.ndarray:
    """Read every window of `x` (N, C, H, W) as (N, C, OH, OW, taps), with `fill` for padding."""
    n, c, h, w = x.shape
    return np.where(at.inside, x.reshape(n, c, h * w)[:, :, at.flat], fill)


def scatter(values: np.ndarray, at: Windows, shape: tuple[int, ...]) -> np.ndarray:
    """Add (N, C, OH, OW, taps) back to where `gather` read them."""
    out = np.zeros((*shape[:2], shape[2] * shape[3]))
    for tap in range(values.shape[-1]):
        # One tap of different windows never reads one position twice, so += loses nothing.
        inside = at.inside[..., tap]
        out[:, :, at.flat[inside, tap]] += values[..., tap][:, :, inside]
    return out.reshape(shape)


def f64(*arrays: ArrayLike) -> list[np.ndarray]:
    return [np.asarray(array, np.float64) for array in arrays]


# ---------------------------------------------------------------------------- im2col, col2im


def im2col(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
) -> np.ndarray:
    """Columns (N, C*R*S, OH*OW), as torch's unfold."""
    (x,) = f64(x)
    columns = gather(x, windows(x.shape, kernel_size, stride, padding, dilation), 0.0)
    n, c, oh, ow, taps = columns.shape
    return columns.transpose(0, 1, 4, 2, 3).reshape(n, c * taps, oh * ow)


def col2im(
    columns: np.ndarray,
    output_size: tuple[int, int],
    kernel_size: Pair,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
) -> np.ndarray:
    """Images (N, C, H, W), as torch's fold."""
    (columns,) = f64(columns)
    at = windows(output_size, kernel_size, stride, padding, dilation)
    oh, ow, taps = at.flat.shape
    n, c = columns.shape[0], columns.shape[1] // taps
    values = columns.reshape(n, c, taps, oh, ow).transpose(0, 1, 3, 4, 2)
    return scatter(values, at, (n, c, *output_size))


# ---------------------------------------------------------------------------- convolution


class _Taps(NamedTuple):
    """The padded input and, per filter tap, the slice of it that meets that tap."""

    shape: tuple[int, ...]
    sides: Sides
    out: tuple[int, int]
    slices: list[tuple[int, int, tuple]]


def _taps(
    x: np.ndarray, weight: np.ndarray, stride: Pair, padding: Padding, dilation: Pair
) -> _Taps:
    (sh, sw), (dh, dw), (rows, columns) = two(stride), two(dilation), sides(padding)
    (h, w), (fh, fw) = x.shape[2:], weight.shape[2:]
    oh = output_size(h, fh, sh, rows, dh)
    ow = output_size(w, fw, sw, columns, dw)
    slices = []
    for r in range(fh):
        for s in range(fw):
            down = slice(r * dh, r * dh + oh * sh, sh)
            across = slice(s * dw, s * dw + ow * sw, sw)
            slices.append((r, s, (slice(None), slice(None), down, across)))
    padded = (*x.shape[:2], h + sum(rows), w + sum(columns))
    return _Taps(padded, (rows, columns), (oh, ow), slices)


def conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> np.ndarray:
    """Output (N, K, OH, OW) of `x` (N, C, H, W) under `weight` (K, C/groups, R, S)."""
    x, weight = f64(x, weight)
    geometry = _taps(x, weight, stride, padding, dilation)
    (oh, ow), n, k = geometry.out, x.shape[0], weight.shape[0]
    c = x.shape[1] // groups
    x = np.pad(x, ((0, 0), (0, 0), *geometry.sides))
    y = np.zeros((n, groups, k // groups, oh * ow))
    for r, s, patch in geometry.slices:
        w = weight[:, :, r, s].reshape(groups, k // groups, c)
        y += w @ x[patch].reshape(n, groups, c, oh * ow)
    y = y.reshape(n, k, oh, ow)
    return y if bias is None else y + f64(bias)[0][:, None, None]


def conv2d_scale(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> np.ndarray:
    """Sum the magnitudes of the products in each output: rounding errors are relative to this."""
    x, weight = f64(x, weight)
    bias = None if bias is None else np.abs(bias)
    return conv2d(np.abs(x), np.abs(weight), bias, stride, padding, dilation, groups)


def conv2d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of x, weight and bias. With magnitudes for arguments: their error scales."""
    grad, x, weight = f64(grad, x, weight)
    geometry = _taps(x, weight, stride, padding, dilation)
    (top, _), (left, _) = geometry.sides
    (oh, ow), n, k = geometry.out, x.shape[0], weight.shape[0]
    (h, w), c = x.shape[2:], x.shape[1] // groups
    x = np.pad(x, ((0, 0), (0, 0), *geometry.sides))
    gx, gw = np.zeros(geometry.shape), np.zeros(weight.shape)
    g = grad.reshape(n, groups, k // groups, oh * ow)
    for r, s, patch in geometry.slices:
        filters = weight[:, :, r, s].reshape(groups, k // groups, c)
        gx[patch] += (filters.swapaxes(1, 2) @ g).reshape(n, groups * c, oh, ow)
        columns = x[patch].reshape(n, groups, c, oh * ow)
        gw[:, :, r, s] = (g @ columns.swapaxes(2, 3)).sum(0).reshape(k, c)
    return gx[:, :, top : top + h, left : left + w], gw, grad.sum((0, 2, 3))


# ---------------------------------------------------------------------------- pooling


def max_pool2d(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Maxima and their flat H*W positions; the first in row-major order on a tie, NaN above all."""
    (x,) = f64(x)
    stride = kernel_size if stride is None else stride
    at = windows(x.shape, kernel_size, stride, padding, dilation, ceil_mode)
    if not at.inside.any(-1).all():
        raise ValueError("a window covers only padding")
    values = gather(x, at, -np.inf)
    # argmax takes the first NaN, else the first maximum; if that is padding, then everything in
    # the window is -inf and its first element wins.
    tap = values.argmax(-1)
    won = np.take_along_axis(np.broadcast_to(at.inside, values.shape), tap[..., None], -1)[..., 0]
    tap = np.where(won, tap, at.inside.argmax(-1))
    y = np.take_along_axis(values, tap[..., None], -1)[..., 0]
    flat = np.broadcast_to(at.flat, values.shape)
    return y, np.take_along_axis(flat, tap[..., None], -1)[..., 0].astype(np.int64)


def max_pool2d_backward(
    grad: np.ndarray, indices: np.ndarray, input_shape: tuple[int, ...]
) -> np.ndarray:
    """Route every gradient to its index."""
    (grad,) = f64(grad)
    n, c, h, w = input_shape
    plane = np.arange(n * c).reshape(n, c, 1, 1) * (h * w)
    summed = np.bincount((plane + indices).ravel(), grad.ravel(), n * c * h * w)
    return summed.reshape(input_shape)


def _divisor(
    shape: tuple[int, ...],
    at: Windows,
    kernel_size: Pair,
    stride: Pair,
    padding: Padding,
    count_include_pad: bool,
    divisor_override: int | None,
) -> np.ndarray:
    """Count what each average divides by, as (OH, OW)."""
    if divisor_override is not None:
        return np.full(at.flat.shape[:2], float(divisor_override))
    if not count_include_pad:
        return at.inside.sum(-1).clip(1).astype(np.float64)
    # Padding counts, but what lies beyond it does not: a plane of ones that includes the padding.
    (top, bottom), (left, right) = sides(padding)
    padded = (shape[-2] + top + bottom, shape[-1] + left + right)
    beyond = ((0, max(two(kernel_size))), (0, max(two(kernel_size))))
    reach = windows(padded, kernel_size, stride, beyond)
    oh, ow = at.flat.shape[:2]
    return reach.inside.sum(-1)[:oh, :ow].astype(np.float64)


def avg_pool2d(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> np.ndarray:
    """Averages (N, C, OH, OW); an average over no element at all is 0."""
    (x,) = f64(x)
    stride = kernel_size if stride is None else stride
    at = windows(x.shape, kernel_size, stride, padding, ceil_mode=ceil_mode)
    divisor = _divisor(
        x.shape, at, kernel_size, stride, padding, count_include_pad, divisor_override
    )
    return gather(x, at, 0.0).sum(-1) / divisor


def avg_pool2d_backward(
    grad: np.ndarray,
    input_shape: tuple[int, ...],
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> np.ndarray:
    """Gradient of the input."""
    (grad,) = f64(grad)
    stride = kernel_size if stride is None else stride
    at = windows(input_shape, kernel_size, stride, padding, ceil_mode=ceil_mode)
    divisor = _divisor(
        input_shape, at, kernel_size, stride, padding, count_include_pad, divisor_override
    )
    share = grad / divisor
    return scatter(
        np.broadcast_to(share[..., None], (*share.shape, at.flat.shape[-1])), at, input_shape
    )


def lp_pool2d(
    x: np.ndarray, norm_type: float, kernel_size: Pair, stride: Pair | None = None
) -> np.ndarray:
    """(sum of |x|**p) ** (1/p) in every window."""
    (x,) = f64(x)
    at = windows(x.shape, kernel_size, kernel_size if stride is None else stride, 0)
    return (np.abs(gather(x, at, 0.0)) ** norm_type).sum(-1) ** (1 / norm_type)


def lp_pool2d_backward(
    grad: np.ndarray,
    x: np.ndarray,
    norm_type: float,
    kernel_size: Pair,
    stride: Pair | None = None,
) -> np.ndarray:
    """Gradient of the input; as torch documents, zero for a window whose norm is zero."""
    grad, x = f64(grad, x)
    at = windows(x.shape, kernel_size, kernel_size if stride is None else stride, 0)
    y = lp_pool2d(x, norm_type, kernel_size, stride)
    with np.errstate(invalid="ignore", divide="ignore"):
        # d(s**(1/p))/dx with s the sum of |x|**p: s**(1/p - 1) * |x|**(p - 1) * sign(x).
        inner = np.abs(gather(x, at, 0.0)) ** (norm_type - 1) * np.sign(gather(x, at, 0.0))
        values = (y ** (1 - norm_type) * grad)[..., None] * inner
    return scatter(np.where(y[..., None] == 0, 0.0, values), at, x.shape)


# ---------------------------------------------------------------------------- fully connected


def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """Output (..., K) of `x` (..., D) under `weight` (K, D)."""
    x, weight = f64(x, weight)
    y = np.tensordot(x, weight, (-1, 1))
    return y if bias is None else y + f64(bias)[0]


def linear_backward(
    grad: np.ndarray, x: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of x, weight and bias."""
    grad, x, weight = f64(grad, x, weight)
    batch = tuple(range(x.ndim - 1))
    gx = np.tensordot(grad, weight, (-1, 0))
    return gx, np.tensordot(grad, x, (batch, batch)), grad.sum(batch)


# ---------------------------------------------------------------------------- normalisation


class Normalized(NamedTuple):
    """Elements with mean 0 and variance 1 over some axes, and what made them so."""

    xhat: np.ndarray
    mean: np.ndarray  # with the axes kept, as var
    var: np.ndarray
    axes: tuple[int, ...]
    eps: float

    def backward(self, grad: np.ndarray) -> np.ndarray:
        """Take out of grad what lies along 1 and along x - mean: those cannot change."""
        rest = grad - grad.mean(self.axes, keepdims=True)
        return (rest - self.xhat * (grad * self.xhat).mean(self.axes, keepdims=True)) / np.sqrt(
            self.var + self.eps
        )


def normalized(x: np.ndarray, axes: tuple[int, ...], eps: float) -> Normalized:
    (x,) = f64(x)
    mean = x.mean(axes, keepdims=True)
    mean += (x - mean).mean(axes, keepdims=True)  # what rounding took from a large sum
    var = ((x - mean) ** 2).mean(axes, keepdims=True)
    return Normalized((x - mean) / np.sqrt(var + eps), mean, var, axes, eps)


def over_batch(x: np.ndarray) -> tuple[int, ...]:
    """The axes of all elements of a channel."""
    return (0, *range(2, x.ndim))


def per_channel(vector: np.ndarray, ndim: int) -> np.ndarray:
    """Shape a vector over the channels to go with (N, C, ...)."""
    return np.asarray(vector, np.float64).reshape(1, -1, *[1] * (ndim - 2))


def _response_windows(channels: int, size: int) -> np.ndarray:
    """A matrix with a 1 where the column's channel lies in the window of the row's."""
    offset = np.arange(channels) - np.arange(channels)[:, None]
    return ((offset >= -(size // 2)) & (offset <= (size - 1) // 2)).astype(np.float64)


def local_response_norm(
    x: np.ndarray, size: int, alpha: float, beta: float, k: float
) -> np.ndarray:
    (x,) = f64(x)
    sums = np.einsum("dc,nc...->nd...", _response_windows(x.shape[1], size), x**2)
    return x * (k + alpha / size * sums) ** -beta


def local_response_norm_backward(
    grad: np.ndarray, x: np.ndarray, size: int, alpha: float, beta: float, k: float
) -> np.ndarray:
    grad, x = f64(grad, x)
    windows = _response_windows(x.shape[1], size)
    base = k + alpha / size * np.einsum("dc,nc...->nd...", windows, x**2)
    slopes = np.einsum("dc,nd...->nc...", windows, grad * x * base ** (-beta - 1))
    return grad * base**-beta - 2 * alpha * beta / size * x * slopes


# ---------------------------------------------------------------------------- activations


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(f64(x)[0], 0.0)


def relu_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    grad, x = f64(grad, x)
    return np.where(x <= 0, 0.0, grad)


def leaky_relu(x: np.ndarray, negative_slope: float = 0.01) -> np.ndarray:
    (x,) = f64(x)
    return np.where(x > 0, x, negative_slope * x)


def leaky_relu_backward(
    grad: np.ndarray, x: np.ndarray, negative_slope: float = 0.01
) -> np.ndarray:
    grad, x = f64(grad, x)
    return grad * np.where(x > 0, 1.0, negative_slope)


def _softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + exp(x)) = -log(sigmoid(-x)), which neither overflows nor cancels."""
    with np.errstate(invalid="ignore"):  # NumPy warns of a NaN here, and of no other input
        return np.logaddexp(0.0, x)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-_softplus(-f64(x)[0]))


def sigmoid_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    grad, x = f64(grad, x)
    return grad * np.exp(-_softplus(-x) - _softplus(x))


def tanh(x: np.ndarray) -> np.ndarray:
    return np.tanh(f64(x)[0])


def tanh_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    # 1 - tanh(x)**2 loses every digit where tanh is near 1; 4 * sigmoid'(2x) is the same.
    return sigmoid_backward(4 * f64(grad)[0], 2 * f64(x)[0])


def relu6(x: np.ndarray) -> np.ndarray:
    return np.clip(f64(x)[0], 0.0, 6.0)


def relu6_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    grad, x = f64(grad, x)
    return np.where((x <= 0) | (x >= 6), 0.0, grad)


def _along_channels(weight: np.ndarray, x: np.ndarray) -> np.ndarray:
    return weight.reshape([-1 if axis == 1 else 1 for axis in range(x.ndim)])


def prelu(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    x, weight = f64(x, weight)
    return np.maximum(x, 0) + _along_channels(weight, x) * np.minimum(x, 0)


def prelu_backward(
    grad: np.ndarray, x: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    grad, x, weight = f64(grad, x, weight)
    slope = np.broadcast_to(_along_channels(weight, x), x.shape)
    share = grad * np.minimum(x, 0)
    gw = np.moveaxis(share, 1, 0).reshape(x.shape[1], -1).sum(1) if x.ndim > 1 else share.sum()
    return grad * np.where(x > 0, 1.0, slope), gw if len(weight) > 1 else np.sum(gw, keepdims=True)


def elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    (x,) = f64(x)
    return np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0))


def elu_backward(grad: np.ndarray, x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    grad, x = f64(grad, x)
    return grad * np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0)))


SELU = (1.6732632423543772, 1.0507009873554805)


def selu(x: np.ndarray) -> np.ndarray:
    return SELU[1] * elu(x, SELU[0])


def selu_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    return SELU[1] * elu_backward(grad, x, SELU[0])


def silu(x: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # infinity times 0
        return f64(x)[0] * sigmoid(x)


def silu_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return grad * sigmoid(x) + f64(x)[0] * sigmoid_backward(grad, x)


def softplus(x: np.ndarray, beta: float = 1.0, threshold: float = 20.0) -> np.ndarray:
    (x,) = f64(x)
    return np.where(beta * x > threshold, x, _softplus(beta * x) / beta)


def softplus_backward(
    grad: np.ndarray, x: np.ndarray, beta: float = 1.0, threshold: float = 20.0
) -> np.ndarray:
    grad, x = f64(grad, x)
    return grad * np.where(beta * x > threshold, 1.0, sigmoid(beta * x))


def _normal(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The normal density, and its integral by Gauss's quadrature of the tail beyond |x|."""
    nodes, weights = np.polynomial.legendre.leggauss(100)
    beyond, far = 7 * (nodes + 1), np.abs(x)[..., None]
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    tail = density * 7 * (np.exp(-far * beyond - beyond**2 / 2) * weights).sum(-1)
    return density, np.where(x < 0, tail, 1 - tail)


def gelu(x: np.ndarray, approximate: str = "none") -> np.ndarray:
    (x,) = f64(x)
    if approximate == "tanh":
        return x * (0.5 + 0.5 * np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x * _normal(x)[1]


def gelu_backward(grad: np.ndarray, x: np.ndarray, approximate: str = "none") -> np.ndarray:
    grad, x = f64(grad, x)
    if approximate == "tanh":
        inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
        slope = np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * x**2)
        return grad * (0.5 + 0.5 * np.tanh(inner)) + x / 2 * tanh_backward(grad, inner) * slope
    density, integral = _normal(x)
    return grad * (integral + x * density)


def hardsigmoid(x: np.ndarray) -> np.ndarray:
    return np.clip(f64(x)[0] / 6 + 0.5, 0.0, 1.0)


def hardsigmoid_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    grad, x = f64(grad, x)
    return grad * ~(np.abs(x) >= 3) / 6


def hardswish(x: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return f64(x)[0] * hardsigmoid(x)


def hardswish_backward(grad: np.ndarray, x: np.ndarray) -> np.ndarray:
    grad, x = f64(grad, x)
    return np.select([x <= -3, x >= 3], [0.0, grad], grad * (2 * x + 3) / 6)


# ---------------------------------------------------------------------------- class scores


def log_softmax(x: np.ndarray, dim: int = -1) -> np.ndarray:
    (x,) = f64(x)
    with np.errstate(invalid="ignore"):  # a NaN warns
        below = x - x.max(dim, keepdims=True)  # large scores would cost digits of their logarithm
        return below - np.logaddexp.reduce(below, axis=dim, keepdims=True)


def softmax(x: np.ndarray, dim: int = -1) -> np.ndarray:
    return np.exp(log_softmax(x, dim))


def log_softmax_backward(grad: np.ndarray, x: np.ndarray, dim: int = -1) -> np.ndarray:
    (grad,) = f64(grad)
    return grad - softmax(x, dim) * grad.sum(dim, keepdims=True)


def softmax_backward(grad: np.ndarray, x: np.ndarray, dim: int = -1) -> np.ndarray:
    pg = softmax(x, dim) * f64(grad)[0]
    return pg - softmax(x, dim) * pg.sum(dim, keepdims=True)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean negative log-likelihood of the labels, and the gradient of the logits."""
    rows = np.arange(len(labels))
    gradient = softmax(logits)
    gradient[rows, labels] -= 1
    return float(-log_softmax(logits)[rows, labels].mean()), gradient / len(labels)


def hinge_loss(
    scores: np.ndarray, labels: np.ndarray, margin: float = 1.0
) -> tuple[float, np.ndarray]:
    """The course's multiclass SVM loss, averaged over the batch, and the gradient of the scores."""
    (scores,) = f64(scores)
    rows = np.arange(len(labels))
    margins = np.maximum(scores - scores[rows, labels][:, None] + margin, 0.0)
    margins[rows, labels] = 0.0
    gradient = (margins > 0).astype(np.float64)
    gradient[rows, labels] = -gradient.sum(1)
    return float(margins.sum() / len(labels)), gradient / len(labels)
