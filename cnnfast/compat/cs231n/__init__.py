"""The fast layers of Stanford's course CS231n, compiled already.

Assignment 2 comes with ``cs231n/fast_layers.py`` and ``cs231n/im2col_cython.pyx``, which has to be
compiled first. Here are the same functions over `cnnfast.functional`. Call `install` at the top of
the notebook and the assignment folder uses them, with nothing in it changed or compiled:

    from cnnfast.compat import cs231n
    cs231n.install()

A function raises TypeError for arrays that hold no real numbers and for settings of another type
than int, ValueError for settings that are missing, for shapes that do not belong together and for
a window that does not fit. A cache may be used any number of times.

What differs from the course's files:

- Arrays of one call are converted to ``numpy.result_type`` of them all, integers alone to float64
  and float16 to float32. (The course's Cython takes nothing but float32 and float64.)
- Where a window does not fit at the edge, ``*_fast`` and ``*_strides`` drop it, as the naive
  layers do; ``*_im2col`` and ``*_reshape`` raise ValueError where the course asserts.
- On a tie in max pooling the first element gets the whole gradient. The course's reshape pooling
  splits it among all of them.
- Rows of columns are ordered (C, HH, WW) for any field. (The course's Cython numbers them as if
  the field were square, so that for others they collide.)
- Max pooling works where windows overlap, too. (The course's ``max_pool_forward_im2col`` calls a
  function that its files do not define.)
"""

from cnnfast.compat.cs231n.columns import col2im_6d_cython, col2im_cython, im2col_cython
from cnnfast.compat.cs231n.conv import (
    conv_backward_fast,
    conv_backward_im2col,
    conv_backward_strides,
    conv_forward_fast,
    conv_forward_im2col,
    conv_forward_strides,
)
from cnnfast.compat.cs231n.install import install
from cnnfast.compat.cs231n.max_pool import (
    max_pool_backward_fast,
    max_pool_backward_im2col,
    max_pool_backward_reshape,
    max_pool_forward_fast,
    max_pool_forward_im2col,
    max_pool_forward_reshape,
)

__all__ = [
    "col2im_6d_cython",
    "col2im_cython",
    "conv_backward_fast",
    "conv_backward_im2col",
    "conv_backward_strides",
    "conv_forward_fast",
    "conv_forward_im2col",
    "conv_forward_strides",
    "im2col_cython",
    "install",
    "max_pool_backward_fast",
    "max_pool_backward_im2col",
    "max_pool_backward_reshape",
    "max_pool_forward_fast",
    "max_pool_forward_im2col",
    "max_pool_forward_reshape",
]
