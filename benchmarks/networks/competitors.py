"""cnnfast and the libraries it is compared with, each imported only when it takes part.

A competitor has a `name` and a `version`. ``inference(network, model, x, folder)`` gives a function
without arguments that computes the scores of `x` with the weights of the cnnfast network `model`,
or None where the library cannot; `folder` keeps files that it makes of the network. Those that
learn have ``learner(network, model, x, labels)`` too, where without a `model` the weights are the
library's own random ones. Whatever can be prepared once, is.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.arrays import channels_last
from benchmarks.networks.table import Network

Call = Callable[[], Any]
# So small that the losses of many steps stay finite.
LEARNING_RATE, MOMENTUM = 1e-5, 0.9
# The name that exported files give the number of images.
BATCH = "N"


class Learner(NamedTuple):
    """One step of training as a function that gives the loss, and the gradients of the last one."""

    step: Callable[[], Any]
    gradients: Callable[[], list[np.ndarray]]


class Cnnfast:
    """Plans, and training with nothing but the layers' own methods."""

    name = "cnnfast"

    def __init__(self, threads: int) -> None:
        self.cnnfast = importlib.import_module("cnnfast")
        self.cnnfast.set_num_threads(threads)
        self.version = self.cnnfast.__version__

    def inference(self, network: Network, model: Any, x: np.ndarray, folder: Path) -> Call:
        return partial(self.cnnfast.compile(model, x.shape), x)

    def learner(self, network: Network, model: Any, x: np.ndarray, labels: np.ndarray) -> Learner:
        model = (network.make() if model is None else model).train()
        criterion = self.cnnfast.nn.CrossEntropyLoss()
        optimizer = self.cnnfast.optim.SGD(model.parameters(), LEARNING_RATE, MOMENTUM)
        x = channels_last(x)

        def step() -> float:
            optimizer.zero_grad()
            scores, backward = model.forward(x)
            loss, gradient = criterion(scores, labels)
            backward(gradient, input_grad=False)
            optimizer.step()
            return loss

        return Learner(step, lambda: [parameter.grad for parameter in model.parameters()])


class Torch:
    """PyTorch as it comes, in one of its memory formats.

    torch.compile is left out: it takes minutes to make a network ready.
    """

    name: str
    memory_format: str

    def __init__(self, threads: int) -> None:
        self.torch = importlib.import_module("torch")
        self.torch.set_num_threads(threads)
        self.networks = importlib.import_module("benchmarks.networks.torch_networks")
        self.networks.torchvision_models()
        self.version = self.torch.__version__

    def inference(self, network: Network, model: Any, x: np.ndarray, folder: Path) -> Call:
        peer = self.make(network, model).eval()
        return partial(self.torch.inference_mode()(peer), self._tensor(x))

    def learner(self, network: Network, model: Any, x: np.ndarray, labels: np.ndarray) -> Learner:
        peer = self.make(network, model).train()
        criterion = self.torch.nn.CrossEntropyLoss()
        optimizer = self.torch.optim.SGD(peer.parameters(), LEARNING_RATE, MOMENTUM, fused=True)
        images, targets = self._tensor(x), self.torch.from_numpy(labels)

        def step() -> Any:
            optimizer.zero_grad()
            loss = criterion(peer(images), targets)
            loss.backward()
            optimizer.step()
            return loss.detach()

        return Learner(step, lambda: [parameter.grad.numpy() for parameter in peer.parameters()])

    def make(self, network: Network, model: Any) -> Any:
        """Make PyTorch's form of a network, with the weights of `model` if there is one."""
        peer = self.networks.torch_network(network.model)
        if model is not None:
            state = model.state_dict()
            peer.load_state_dict({k: self.torch.from_numpy(v) for k, v in state.items()})
        for layer in peer.modules():
            if isinstance(layer, self.torch.nn.Dropout):
                layer.p = 0.0
        return peer.to(memory_format=getattr(self.torch, self.memory_format))

    def _tensor(self, x: np.ndarray) -> Any:
        memory_format = getattr(self.torch, self.memory_format)
        return self.torch.from_numpy(x).to(memory_format=memory_format)


class TorchNchw(Torch):
    name = "torch NCHW"
    memory_format = "contiguous_format"


class TorchChannelsLast(Torch):
    name = "torch channels-last"
    memory_format = "channels_last"


class OnnxRuntime:
    """ONNX Runtime, on the network that cnnfast exports."""

    name = "ONNX Runtime"

    def __init__(self, threads: int) -> None:
        importlib.import_module("onnx")  # which the export needs
        self.runtime = importlib.import_module("onnxruntime")
        self.threads = threads
        self.version = self.runtime.__version__

    def inference(self, network: Network, model: Any, x: np.ndarray, folder: Path) -> Call:
        options = self.runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        options.add_free_dimension_override_by_name(BATCH, len(x))
        session = self.runtime.InferenceSession(
            exported(network, model, folder), options, providers=["CPUExecutionProvider"]
        )
        return lambda: session.run(None, {"input": x})[0]


class OpenVino:
    """OpenVINO, on the network that cnnfast exports."""

    name = "OpenVINO"

    def __init__(self, threads: int) -> None:
        importlib.import_module("onnx")
        self.openvino = importlib.import_module("openvino")
        self.version = importlib.metadata.version("openvino")
        self.config = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }

    def inference(self, network: Network, model: Any, x: np.ndarray, folder: Path) -> Call:
        core = self.openvino.Core()
        graph = core.read_model(exported(network, model, folder))
        graph.reshape(list(x.shape))
        request = core.compile_model(graph, "CPU", self.config).create_infer_request()
        return lambda: request.infer([x], share_inputs=True, share_outputs=True)[0]


class Ncnn:
    """ncnn, on what pnnx makes of the network that cnnfast exports. It knows no batches."""

    name = "ncnn"

    def __init__(self, threads: int) -> None:
        importlib.import_module("onnx")
        self.ncnn = importlib.import_module("ncnn")
        self.pnnx = importlib.import_module("pnnx")
        self.threads = threads
        self.version = importlib.metadata.version("ncnn")

    def inference(self, network: Network, model: Any, x: np.ndarray, folder: Path) -> Call | None:
        if len(x) != 1:
            return None
        net = self.ncnn.Net()
        net.opt.num_threads = self.threads
        net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
        net.opt.use_bf16_storage = False
        weights = self._converted(network, model, x, folder)
        net.load_param(str(weights.with_suffix(".param")))
        net.load_model(str(weights))

        def run() -> np.ndarray:
            with net.create_extractor() as extractor:
                extractor.input("in0", self.ncnn.Mat(x[0]))
                _, scores = extractor.extract("out0")
                return np.array(scores)[np.newaxis]

        return run

    def _converted(self, network: Network, model: Any, x: np.ndarray, folder: Path) -> Path:
        """The file of weights; that of the graph is beside it."""
        path = folder / f"{network.model}.ncnn.bin"
        if not path.exists():
            shape = f"inputshape={list(x.shape)}".replace(" ", "")
            subprocess.run(
                [self.pnnx.EXEC_PATH, exported(network, model, folder), shape, "fp16=0"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=True,
            )
            for leftover in folder.glob(f"{network.model}*pnnx*"):
                leftover.unlink()
        return path


PEERS = TorchNchw, TorchChannelsLast, OnnxRuntime, OpenVino, Ncnn
LEARNERS = Cnnfast, TorchNchw, TorchChannelsLast


def installed(kinds: Sequence[type], threads: int) -> tuple[list[Any], list[str]]:
    """Those that can be imported, and a line on each that can not."""
    found, missing = [], []
    for kind in kinds:
        try:
            found.append(kind(threads))
        except ImportError as error:
            missing.append(f"{kind.name} does not take part: {error}")
    return found, missing


def exported(network: Network, model: Any, folder: Path) -> str:
    """The network in an ONNX file for batches of any size."""
    path = folder / f"{network.model}.onnx"
    if not path.exists():
        export = importlib.import_module("cnnfast.io.onnx").export_onnx
        export(model, path, (None, *network.image))
    return str(path)
