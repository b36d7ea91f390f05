"""Convolutions and their gradients over one, two or three axes, on checked arguments.

`images` picks the kernels for two axes. `sequences` are images of one row; `volumes` are images
that hold, as channels, the slices that a filter meets. Each has ``forward``, ``backward_data`` and
``backward_weights``; transposed convolutions use the same three in other roles.
"""
