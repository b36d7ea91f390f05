"""Networks in ONNX files.

export/         a network to a file
"""

from cnnfast.io.onnx.export import export_onnx

__all__ = ["export_onnx"]
