"""Weights in files: name-to-array dicts in, name-to-array dicts out.

A file is data from elsewhere: nothing in it is ever executed, and memory is taken only for what
the file can really hold.
"""

from cnnfast.io.weights import load_weights, save_weights

__all__ = ["load_weights", "save_weights"]
