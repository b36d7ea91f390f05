"""Weights in files, as name-to-array dicts in and out; networks in ONNX files.

A file is data from elsewhere: nothing in it is ever executed, and memory is taken only for what
the file can really hold.
"""

from cnnfast.io.onnx import export_onnx
from cnnfast.io.weights import load_weights, save_weights

__all__ = ["export_onnx", "load_weights", "save_weights"]
