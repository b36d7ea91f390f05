"""Networks in ONNX files.

export/         a network to a file
weights.py      the file's constants, by name
load.py         `load_onnx`
loader.py       the file's graph to an `nn.Graph`
node.py         one node of it, as the operators' handlers see it
tensors.py      the file's tensors to arrays, checked against the bytes that are there
registry.py     which handler makes a module of which operator
operation.py    what modules of operators that are no layers have in common
operators/      the handlers and those modules, by family
"""

from cnnfast.io.onnx.export import export_onnx
from cnnfast.io.onnx.load import load_onnx

__all__ = ["export_onnx", "load_onnx"]
