"""The ONNX project's own test cases, which its library `onnx` brings along."""

from __future__ import annotations

import functools
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, numpy_helper
from onnx.backend.test.loader import DATA_DIR, load_model_tests
from onnx.backend.test.runner import Runner

LIGHT = (
    "bvlc_alexnet",
    "densenet121",
    "inception_v1",
    "inception_v2",
    "resnet50",
    "shufflenet",
    "squeezenet",
    "vgg19",
    "zfnet512",
)
KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")


class Case(NamedTuple):
    """A model, and pairs of the arrays that go in and those that must come out."""

    name: str
    model: ModelProto
    data: list[tuple[list, list]]
    rtol: float
    atol: float

    @property
    def operators(self) -> set[str]:
        return {f"{n.domain}.{n.op_type}".lstrip(".") for n in self.model.graph.node}


@functools.cache
def all_cases() -> list[Case]:
    """Every case but the large networks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the generators of node cases divide by zero, say
        return [case for kind in KINDS for case in _cases(kind)]


def _cases(kind: str) -> Iterator[Case]:
    for test in load_model_tests(kind=kind):
        name = test.name if kind == "node" else f"{kind}/{test.name}"
        if test.model is not None:
            model, data = test.model, [tuple(map(_arrays, pair)) for pair in test.data_sets]
        else:
            folder = Path(test.model_dir)
            model = onnx.load(folder / "model.onnx")
            data = [
                tuple(_stored(pairs, kind) for kind in ("input", "output"))
                for pairs in sorted(folder.glob("test_data_set_*"))
            ]
        yield Case(name, model, data, test.rtol, test.atol)


def light_case(name: str) -> Case:
    """One of the large networks; the model itself computes its weights, so the file is small."""
    entry = json.loads(Path(DATA_DIR, "real", f"test_{name}", "data.json").read_text())
    file = Path(DATA_DIR, "light", Path(entry["url"]).name)
    model = onnx.load(file)
    given = {tensor.name for tensor in model.graph.initializer}
    inputs = [
        Runner.generate_dummy_data(value) for value in model.graph.input if value.name not in given
    ]
    expected = [_tensor(file.with_name(f"{file.stem}_output_0.pb"))]
    return Case(name, model, [(inputs, expected)], entry["rtol"], entry["atol"])


def _stored(folder: Path, kind: str) -> list:
    files = sorted(folder.glob(f"{kind}_*.pb"), key=lambda f: int(f.stem.split("_")[1]))
    return [_tensor(file) for file in files]


def _tensor(file: Path) -> TensorProto | None:
    """A file's tensor; None if it holds a sequence or so, which such a parser makes no sense of."""
    try:
        return _array(TensorProto.FromString(file.read_bytes()))
    except Exception:
        return None


def _arrays(values) -> list:
    return [_array(value) for value in values]


def _array(value):
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else value


def check(case: Case, found: tuple, expected: list) -> None:
    """As the backend tests' runner compares, types included."""
    Runner.assert_similar_outputs(expected, found, case.rtol, case.atol)
    for y, wanted in zip(found, expected, strict=True):
        assert isinstance(y, np.ndarray)
        assert y.dtype == wanted.dtype
