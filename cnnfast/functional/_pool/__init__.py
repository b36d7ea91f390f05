"""Pooling over windows of one, two or three axes, on checked arguments.

`maxima`, `averages` and `norms` pool images. Sequences are images of one row; volumes are pooled
slice by slice, and then along the depth (`dimensions`). `passes` checks the arguments of all, and
`indices` take gradients to where maxima were found.
"""
