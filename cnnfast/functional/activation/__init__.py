"""Elementwise activations, forward and backward, by family.

Every result has the memory order of its input. Where the gradient is a formula in terms of the
output, a `<op>_gradient(grad, y)` holds it, and a layer that would rather keep y uses that.
"""
