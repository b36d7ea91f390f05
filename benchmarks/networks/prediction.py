"""One prediction of ResNet-18 in each library, as the whole of a process: see cold_start.py.

It imports nothing that its library can do without.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np


def cnnfast(folder: Path, threads: int) -> np.ndarray:
    """cnnfast, from its weights."""
    cnnfast, models = map(importlib.import_module, ("cnnfast", "cnnfast.models"))
    cnnfast.set_num_threads(threads)
    model = models.resnet18()
    model.load_state_dict(cnnfast.load_weights(folder / "resnet18.npz"))
    x = np.load(folder / "image.npy")
    return cnnfast.compile(model, x.shape)(x)


def onnx_runtime(folder: Path, threads: int) -> np.ndarray:
    """ONNX Runtime, from the ONNX file."""
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = runtime.InferenceSession(
        folder / "resnet18.onnx", options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"input": np.load(folder / "image.npy")})[0]


def torch(folder: Path, threads: int) -> np.ndarray:
    """PyTorch, from a TorchScript file: sooner there than by way of torchvision's definition."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(threads)
    model = torch.jit.load(folder / "resnet18.ts")
    with torch.inference_mode():
        return model(torch.from_numpy(np.load(folder / "image.npy"))).numpy()


LIBRARIES: dict[str, Callable[[Path, int], np.ndarray]] = {
    "cnnfast": cnnfast,
    "ONNX Runtime": onnx_runtime,
    "torch NCHW": torch,
}


def main() -> None:
    """Predict once, and write the scores."""
    name, folder, threads = sys.argv[1:]
    np.save(Path(folder) / f"{name}.npy", LIBRARIES[name](Path(folder), int(threads)))


if __name__ == "__main__":
    main()
