"""The files in hostile/, each of which lies or asks for too much.

Made by ``python -m tests.io.onnx.make_hostile``. FILES gives for each its bytes, and words of the
message that refuses it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, parser

FOLDER = Path(__file__).parent / "hostile"
WRAPS = 2**32  # times itself it is 0 in 64 bits
OUTSIDE = "weights.bin"


def model(nodes: str, inputs: str = "float[N] x", initialisers: str = "") -> ModelProto:
    """A model that gives y, in ONNX's own text format."""
    head = '<ir_version: 8, opset_import: ["" : 17]> hostile'
    return parser.parse_model(f"{head} ({inputs}) => (float[N] y) {initialisers} {{ {nodes} }}")


def with_tensor(**fields) -> ModelProto:
    """A model that adds a tensor of these fields, 2 floats unless they say otherwise."""
    made = model("y = Add(x, w)")
    tensor = {"data_type": TensorProto.FLOAT, "dims": [2], "name": "w", **fields}
    made.graph.initializer.append(TensorProto(**tensor))
    return made


def external(location: str, **entries) -> ModelProto:
    made = with_tensor(data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **entries}.items():
        made.graph.initializer[0].external_data.add(key=key, value=str(value))
    return made


def repeated(part: str) -> ModelProto:
    """A model with one of its input, constant or node twice."""
    made = with_tensor(raw_data=TWO)
    getattr(made.graph, part).append(getattr(made.graph, part)[0])
    return made


def overlapping() -> ModelProto:
    """Tensors of 8 and of 4 bytes, in a file of 8."""
    made = model("a = Add(x, v) y = Add(a, w)")
    for name, size in (("v", 2), ("w", 1)):
        tensor = external(OUTSIDE).graph.initializer[0]
        tensor.name, tensor.dims[0] = name, size
        made.graph.initializer.append(tensor)
    return made


TWO = np.ones(2, np.float32).tobytes()
VALID = with_tensor(raw_data=TWO)

TENSORS = {
    "size_wraps": (with_tensor(dims=[WRAPS, WRAPS], raw_data=b""), "bytes, but has 0"),
    "size_without_values": (with_tensor(dims=[WRAPS]), "values, but has 0"),
    "size_wraps_with_values": (with_tensor(dims=[WRAPS, WRAPS], float_data=[1]), "but has 1"),
    "size_beside_a_zero": (with_tensor(dims=[WRAPS, WRAPS, 0], raw_data=b""), "cannot be read"),
    "size_negative": (with_tensor(dims=[-2], raw_data=TWO), "claims the shape (-2,)"),
    "size_twice_negative": (with_tensor(dims=[-1, -2], raw_data=TWO), "claims the shape"),
    "data_short": (with_tensor(raw_data=TWO[:-1]), "8 bytes, but has 7"),
    "data_long": (with_tensor(raw_data=TWO + b"\0"), "8 bytes, but has 9"),
    "values_few": (with_tensor(float_data=[1]), "2 values, but has 1"),
    "values_many": (with_tensor(float_data=[1, 1, 1]), "2 values, but has 3"),
    "values_of_another_type": (with_tensor(int32_data=[1, 1]), "2 values, but has 0"),
    "halves_of_four_bits": (
        with_tensor(dims=[WRAPS], data_type=TensorProto.INT4, raw_data=TWO),
        "but has 8",
    ),
    "type_unknown": (with_tensor(data_type=99, raw_data=TWO), "data type 99"),
    "type_text": (
        with_tensor(data_type=TensorProto.STRING, string_data=[b"a", b"b"]),
        "strings",
    ),
    "too_many_axes": (with_tensor(dims=[1] * 99, raw_data=TWO[:4]), "cannot be read"),
}

GRAPHS = {
    "cycle": (model("a = Add(x, b) b = Relu(a) y = Relu(b)"), "cycle"),
    "cycle_of_one": (model("y = Add(x, y)"), "cycle"),
    "value_missing": (model("y = Add(x, nowhere)"), "nothing gives"),
    "value_missing_aside": (model("y = Relu(x) z = Relu(nowhere)"), "nothing gives"),
    "value_twice": (model("y = Relu(x) y = Exp(x)"), "two nodes give 'y'"),
    "value_shadows_an_input": (model("x = Relu(x) y = Relu(x)"), "two nodes give 'x'"),
    "value_shadows_a_constant": (
        model("w = Relu(x) y = Add(x, w)", initialisers="<float[1] w = {1}>"),
        "what is a constant",
    ),
    "input_twice": (repeated("input"), "two inputs"),
    "constant_twice": (repeated("initializer"), "two constants"),
    "output_missing": (model("z = Relu(x)"), "nothing gives"),
    "no_graph": (ModelProto(ir_version=8), "no graph"),
    "input_left_out": (model("y = Conv(x, )"), "Conv"),
    "too_few_inputs": (model("y = Add(x)"), "takes 2 to 2 inputs"),
    "too_many_inputs": (model("y = Relu(x, x)"), "takes 1 to 1 inputs"),
    "too_many_outputs": (model("a, b = Relu(x) y = Add(a, b)"), "gives 1 output"),
    "filters_that_lie": (
        model("y = Conv<kernel_shape = [3, 3]>(x, w)", initialisers="<float[1,1,1,1] w = {1}>"),
        "kernel_shape",
    ),
    "groups_that_lie": (
        model("y = Conv<group = 3>(x, w)", initialisers="<float[1,1,1,1] w = {1}>"),
        "groups",
    ),
    "group_zero": (
        model("y = Conv<group = 0>(x, w)", initialisers="<float[1,1,1,1] w = {1}>"),
        "at least 1",
    ),
    "bias_that_lies": (
        model("y = Conv(x, w, b)", initialisers="<float[1,1,1,1] w = {1}, float[2] b = {1, 1}>"),
        "bias",
    ),
    "channels_that_lie": (
        model(
            "y = BatchNormalization(x, a, b, b, b)",
            initialisers="<float[1] a = {1}, float[2] b = {1, 1}>",
        ),
        "channels",
    ),
    "stride_zero": (model("y = MaxPool<kernel_shape = [2, 2], strides = [0, 1]>(x)"), "strides"),
    "stride_huge": (
        model(f"y = MaxPool<kernel_shape = [2, 2], strides = [{2**31}, 1]>(x)"),
        "strides",
    ),
    "pads_negative": (model("y = MaxPool<kernel_shape = [2], pads = [-1, 0]>(x)"), "pads"),
    "pads_odd": (model("y = MaxPool<kernel_shape = [2], pads = [1]>(x)"), "pads"),
}

FILES_OUTSIDE = {
    "external_parent": (external(f"../{OUTSIDE}"), "in the model's folder"),
    "external_parent_of_a_folder": (external(f"sub/../../{OUTSIDE}"), "in the model's folder"),
    "external_parent_of_windows": (external(f"..\\{OUTSIDE}"), "in the model's folder"),
    "external_absolute": (external("/etc/passwd"), "in the model's folder"),
    "external_absolute_of_windows": (external("C:\\weights.bin"), "in the model's folder"),
    "external_nowhere": (external(""), "in the model's folder"),
    "external_folder": (external("."), "in the model's folder"),
    "external_text_ended": (external("weights\0.bin"), "in the model's folder"),
    "external_past_the_end": (external(OUTSIDE, offset=4), "which has 8"),
    "external_offset_negative": (external(OUTSIDE, offset=-8), "from -8 on"),
    "external_offset_huge": (external(OUTSIDE, offset=2**64), "which has 8"),
    "external_offset_no_number": (external(OUTSIDE, offset="here"), "must be numbers"),
    "external_length_short": (external(OUTSIDE, length=4), "claims 8 bytes"),
    "external_length_huge": (external(OUTSIDE, length=2**62), "claims 8 bytes"),
}

#: Refused beside a file OUTSIDE of 8 bytes, in the model's folder and in the one above.
FILES = {
    f"{name}.onnx": (made.SerializeToString(deterministic=True), words)
    for name, (made, words) in (TENSORS | GRAPHS | FILES_OUTSIDE).items()
} | {
    "empty.onnx": (b"", "no graph"),
    "text.onnx": (b"ir_version: 8", "not an ONNX file"),
    "name_is_no_text.onnx": (
        VALID.SerializeToString(deterministic=True).replace(b"w", b"\xff"),
        "cannot be a name",
    ),
    "tensors_overlap.onnx": (
        overlapping().SerializeToString(deterministic=True),
        "claim more bytes together than the 8",
    ),
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, (content, _) in FILES.items():
        FOLDER.joinpath(name).write_bytes(content)


if __name__ == "__main__":
    main()
