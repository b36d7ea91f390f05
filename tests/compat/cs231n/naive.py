"""The course's layers as plain loops, and cases for them."""

from __future__ import annotations

import numpy as np

FLOATS = [np.float32, np.float64]


def close(got: np.ndarray, want: np.ndarray, dtype: type = np.float64) -> None:
    assert got.shape == want.shape
    assert got.dtype == dtype
    tolerance = {np.float32: 2e-5, np.float64: 1e-12}[dtype]
    np.testing.assert_allclose(got, want, tolerance, tolerance)


def fields(h: int, w: int, fh: int, fw: int, stride: int):
    """Yield (number, rows, columns) of every field over a padded plane, row by row."""
    number = 0
    for top in range(0, h - fh + 1, stride):
        for left in range(0, w - fw + 1, stride):
            yield number, slice(top, top + fh), slice(left, left + fw)
            number += 1


def out_size(h: int, w: int, fh: int, fw: int, pad: int, stride: int) -> tuple[int, int]:
    return (h + 2 * pad - fh) // stride + 1, (w + 2 * pad - fw) // stride + 1


def zero_padded(x: np.ndarray, pad: int) -> np.ndarray:
    n, c, h, w = x.shape
    padded = np.zeros((n, c, h + 2 * pad, w + 2 * pad), x.dtype)
    padded[:, :, pad : pad + h, pad : pad + w] = x
    return padded


def naive_conv(x, w, b, stride, pad):
    padded = zero_padded(x, pad)
    out = np.zeros((len(x), len(w), *out_size(*x.shape[2:], *w.shape[2:], pad, stride)))
    flat = out.reshape(len(x), len(w), out.shape[2] * out.shape[3])
    for image in range(len(x)):
        for k in range(len(w)):
            for number, rows, columns in fields(*padded.shape[2:], *w.shape[2:], stride):
                flat[image, k, number] = (padded[image, :, rows, columns] * w[k]).sum() + b[k]
    return out


def naive_conv_backward(dout, x, w, stride, pad):
    padded = zero_padded(x, pad)
    dx, dw, db = np.zeros(padded.shape), np.zeros(w.shape), np.zeros(len(w))
    flat = dout.reshape(len(x), len(w), dout.shape[2] * dout.shape[3])
    for image in range(len(x)):
        for k in range(len(w)):
            for number, rows, columns in fields(*padded.shape[2:], *w.shape[2:], stride):
                g = flat[image, k, number]
                db[k] += g
                dw[k] += g * padded[image, :, rows, columns]
                dx[image, :, rows, columns] += g * w[k]
    return dx[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]], dw, db


def naive_max_pool(x, height, width, stride):
    n, c, h, w = x.shape
    out = np.zeros((n, c, *out_size(h, w, height, width, 0, stride)))
    for number, rows, columns in fields(h, w, height, width, stride):
        out.reshape(n, c, -1)[:, :, number] = x[:, :, rows, columns].max((2, 3))
    return out


def naive_im2col(x, fh, fw, pad, stride):
    n, c, h, w = x.shape
    padded = zero_padded(x, pad)
    out_h, out_w = out_size(h, w, fh, fw, pad, stride)
    cols = np.zeros((c * fh * fw, out_h * out_w * n), x.dtype)
    for y in range(out_h):
        for left in range(out_w):
            for image in range(n):
                field = padded[image, :, y * stride :, left * stride :][:, :fh, :fw]
                cols[:, y * out_w * n + left * n + image] = field.ravel()
    return cols


# Shapes (N, C, H, W) and windows (HH, WW, pad, stride): batches below, at and between the blocks
# of 8 images; fields that are not square; strides below, at and above the field; windows dropped.
SHAPES = [
    ((2, 3, 4, 4), (4, 4, 1, 2)),
    ((1, 1, 5, 6), (2, 3, 0, 1)),
    ((3, 2, 7, 5), (3, 3, 1, 2)),
    ((4, 3, 9, 8), (3, 2, 2, 3)),
    ((5, 2, 6, 7), (1, 3, 0, 2)),
    ((7, 1, 5, 5), (1, 1, 0, 2)),
    ((8, 4, 6, 6), (3, 3, 1, 1)),
    ((9, 2, 8, 8), (2, 2, 0, 2)),
    ((17, 3, 6, 5), (2, 4, 1, 5)),
    ((0, 2, 5, 5), (3, 3, 1, 2)),
]
