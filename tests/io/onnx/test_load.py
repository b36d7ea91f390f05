"""What `load_onnx` makes of a file: names, parameters, inputs and outputs, and what it refuses."""

from __future__ import annotations

import copy
import pickle
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, numpy_helper, parser

from cnnfast import load_onnx, load_weights, nn
from cnnfast.io.onnx.loader import build
from cnnfast.nn.trace import trace
from tests import oracle
from tests.helpers import is_channels_last, random

FLOAT = np.float32


def model(text: str, opset: int = 17, **constants: np.ndarray) -> ModelProto:
    """A model in ONNX's own text format, with arrays as initialisers."""
    made = parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> test {text}')
    for name, array in constants.items():
        made.graph.initializer.append(numpy_helper.from_array(array, name.replace("__", ".")))
    return made


def network(text: str, opset: int = 17, **constants: np.ndarray) -> nn.Graph:
    return build(model(text, opset, **constants), Path(), "load_onnx: test")


CONV = "(float[N,2,H,W] x) => (float[N,3,H,W] y) { y = Conv<pads = [1,1,1,1]>(x, w, b) }"


def conv(**changes: np.ndarray) -> nn.Graph:
    given = {"w": random(3, 2, 3, 3, dtype=FLOAT), "b": random(3, dtype=FLOAT, seed=1)}
    return network(CONV, **{**given, **changes})


# ---------------------------------------------------------------------------- files


def test_a_file(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(model("(float[N] x) => (float[N] y) { y = Relu(x) }"), path)
    for name in (path, str(path)):
        assert load_onnx(name)(np.array([-1, 2], FLOAT)).tolist() == [0, 2]


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_onnx(tmp_path / "model.onnx")


def test_external_data_that_onnx_wrote(tmp_path):
    path = tmp_path / "model.onnx"
    made = model(CONV, w=random(3, 2, 3, 3, dtype=FLOAT), b=random(3, dtype=FLOAT))
    x = random(1, 2, 5, 5, dtype=FLOAT)
    expected = build(made, Path(), "")(x)
    onnx.save(made, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (tmp_path / "weights.bin").stat().st_size > 0
    assert np.array_equal(load_onnx(path)(x), expected)


def test_without_the_library(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'cnnfast\[onnx\]'"):
        load_onnx(tmp_path / "model.onnx")
    with pytest.raises(ImportError, match="load_weights needs the library onnx"):
        load_weights(tmp_path / "model.onnx")


def test_constants_as_weights(tmp_path):
    path = tmp_path / "model.onnx"
    weight, half, shape = random(3, 2, dtype=FLOAT), random(2).astype(np.float16), np.array([3, -1])
    made = model(
        "(float[N] x) => (float[N] y) { y = Relu(x) }",
        features__0__weight=weight,
        half=half,
        shape=shape,
    )
    onnx.save(made, path)
    state = load_weights(path)
    assert list(state) == ["features.0.weight", "half", "shape"]
    assert np.array_equal(state["features.0.weight"], weight)
    assert state["half"].dtype == np.float32
    assert np.array_equal(state["half"], half)
    assert state["shape"].dtype == np.int64
    assert all(array.flags.writeable for array in state.values())


def test_a_damaged_file_of_weights(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"ir_version: 8")
    with pytest.raises(ValueError, match=r"^load_weights: .*: not an ONNX file"):
        load_weights(path)


# ---------------------------------------------------------------------------- names


def test_names_become_attributes():
    names = ("/layer1/relu/Relu", "a.b", "a_b", "a:b", "forward", "")
    made = model(
        """(float[N] x) => (float[N] y) {
        a = Relu(x) b = Relu(a) c = Relu(b) d = Relu(c) e = Relu(d) y = Relu(e) }"""
    )
    for node, name in zip(made.graph.node, names, strict=True):
        node.name = name
    found = [name for name, _ in build(made, Path(), "").named_children()]
    assert found == ["layer1_relu_Relu", "a_b", "a_b_2", "a_b_3", "forward_2", "y"]


def test_layers_are_called_as_their_weights():
    made = model(
        """(float[N,2] x) => (float[N,2] y) {
        a = Gemm(x, w)
        b = Gemm(a, w)
        y = Add(b, c) }""",
        layer__0__weight=random(2, 2, dtype=FLOAT),
        c=random(2, dtype=FLOAT),
    )
    for node in made.graph.node[:2]:
        node.input[1] = "layer.0.weight"
    graph = build(made, Path(), "")
    assert set(graph.state_dict()) == {"layer_0.weight", "c.value"}
    assert graph.layer_0.weight is graph.layer_0_2.weight


def test_parameters_and_constants_of_the_state():
    graph = network(
        """(float[N,2] x) => (float[N,3] y) {
        [fc] a = Gemm<transB = 1>(x, w, b)
        y = Mul(a, scale) }""",
        w=random(3, 2, dtype=FLOAT),
        b=random(3, dtype=FLOAT),
        scale=random(3, dtype=FLOAT),
    )
    assert [name for name, _ in graph.named_parameters()] == ["fc.weight", "fc.bias"]
    assert set(graph.state_dict()) == {"fc.weight", "fc.bias", "scale.value"}
    assert type(graph.fc) is nn.Linear


def test_one_constant_is_one_parameter():
    graph = network(
        """(float[N,2] x) => (float[N,2] y) {
        a = Gemm<transB = 1>(x, w)
        b = Gemm<transB = 1>(a, w)
        y = Gemm(b, w) }""",
        w=random(2, 2, dtype=FLOAT),
    )
    assert graph.a.weight is graph.b.weight
    assert graph.y.weight is not graph.a.weight  # that one is transposed


def test_the_state_can_be_loaded():
    first, second = conv(), conv(w=np.zeros((3, 2, 3, 3), FLOAT))
    second.load_state_dict(first.state_dict())
    x = random(1, 2, 4, 4, dtype=FLOAT)
    assert np.array_equal(first(x), second(x))


@pytest.mark.parametrize("change", [copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))])
def test_copies(change):
    graph, x = conv(), random(1, 2, 4, 4, dtype=FLOAT)
    assert np.array_equal(change(graph)(x), graph(x))


def test_float64():
    x = random(1, 2, 4, 4)
    graph = conv().astype(np.float64)
    assert graph(x).dtype == np.float64
    expected = oracle.conv2d(x, graph.y.weight.data, graph.y.bias.data, padding=1)
    np.testing.assert_allclose(graph(x), expected, atol=1e-12)


def test_layers_are_those_of_nn():
    calls = trace(conv()).calls
    assert [(call.name, type(call.module)) for call in calls] == [("y", nn.Conv2d)]


# ---------------------------------------------------------------------------- in and out


def test_inputs_in_order_without_initialisers():
    graph = network(
        "(float[N] a, float[1] w, float[N] b) => (float[N] y) { t = Add(a, w) y = Sub(t, b) }",
        w=np.array([10], FLOAT),
    )
    assert graph.inputs == ("a", "b")
    assert graph(np.array([1], FLOAT), np.array([2], FLOAT)).tolist() == [9]


def test_several_outputs():
    graph = network(
        "(float[N] x) => (float[N] y, float[N] x, float[1] w) { y = Relu(x) }",
        w=np.array([5], FLOAT),
    )
    outputs = graph(np.array([-1], FLOAT))
    assert isinstance(outputs, tuple)
    assert [y.tolist() for y in outputs] == [[0], [-1], [5]]


def test_outputs_that_nobody_takes_do_not_count():
    graph = network(
        """(float[N,C,H,W] x) => (float[N,C,H,W] y) {
        y, indices = MaxPool<kernel_shape = [2, 2]>(x) }"""
    )
    assert isinstance(graph.y, nn.MaxPool2d)


def test_nodes_in_any_order():
    graph = network("(float[N] x) => (float[N] y) { y = Relu(a) a = Neg(x) }")
    assert graph(np.array([-1, 2], FLOAT)).tolist() == [1, 0]


def test_any_batch():
    graph = conv()
    for batch in (1, 3, 0):
        assert graph(random(batch, 2, 5, 4, dtype=FLOAT)).shape == (batch, 3, 5, 4)


def test_what_the_file_says_of_inner_shapes_does_not_matter():
    made = model("(float[N] x) => (float[7,7] y) { a = Relu(x) y = Relu(a) }")
    lie = onnx.helper.make_tensor_value_info("a", onnx.TensorProto.FLOAT, [2**40, 2**40])
    made.graph.value_info.append(lie)
    assert build(made, Path(), "")(np.array([-1, 2], FLOAT)).tolist() == [0, 2]


def test_channels_last_models_in_transposes():
    weight = random(8, 2, 3, 3, dtype=FLOAT)
    graph = network(
        """(float[N,H,W,C] x) => (float[N,H,W,C] y) {
        a = Transpose<perm = [0, 3, 1, 2]>(x)
        b = Conv<auto_pad = "SAME_UPPER", strides = [2, 2]>(a, w)
        c = Relu(b)
        y = Transpose<perm = [0, 2, 3, 1]>(c) }""",
        w=weight,
    )
    x = random(2, 7, 8, 2, dtype=FLOAT)
    y = graph(x)
    assert y.flags.c_contiguous, "the images were channels-last all the way"
    image = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    expected = oracle.conv2d(image, weight, None, stride=2, padding=((1, 1), (0, 1)))
    np.testing.assert_allclose(y.transpose(0, 3, 1, 2), np.maximum(expected, 0), atol=1e-5)
    assert not is_channels_last(image)


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("size", [6, 7, 8, 9])
def test_padding_by_the_size_of_each_input(auto_pad, size):
    """The layer is one, its parameters learn, and each input gets its own padding."""
    weight = random(1, 1, 4, 4, dtype=FLOAT)
    graph = network(
        f"""(float[N,1,H,W] x) => (float[N,1,H,W] y) {{
        y = Conv<auto_pad = "{auto_pad}", strides = [3, 3]>(x, w) }}""",
        w=weight,
    )
    x = random(1, 1, size, size, dtype=FLOAT)
    total = max((-(-size // 3) - 1) * 3 + 4 - size, 0)
    sides = total // 2, total - total // 2
    sides = sides if auto_pad == "SAME_UPPER" else sides[::-1]
    expected = oracle.conv2d(x, weight, None, stride=3, padding=(sides, sides))
    y, backward = graph.forward(x)
    np.testing.assert_allclose(y, expected, atol=1e-5)
    assert backward(np.ones_like(y)).shape == x.shape
    assert next(graph.parameters()).grad is not None


# ---------------------------------------------------------------------------- types


def test_half_precision_is_computed_in_float32():
    text = CONV.replace("float[", "float16[")
    weight, bias = random(3, 2, 3, 3).astype(np.float16), random(3).astype(np.float16)
    graph = network(text, w=weight, b=bias)
    x = random(1, 2, 5, 5).astype(np.float16)
    y, backward = graph.forward(x)
    assert y.dtype == np.float16
    wide = [a.astype(np.float64) for a in (x, weight, bias)]
    np.testing.assert_allclose(y, oracle.conv2d(*wide, padding=1), atol=1e-2)
    assert backward(np.ones_like(y)).dtype == np.float16
    assert next(graph.parameters()).dtype == np.float32


def test_integers_stay_integers():
    graph = network("(int64[N] x) => (int64[N] y) { y = Div(x, two) }", two=np.array([2]))
    y = graph(np.array([-3, 3, 2**60 + 1]))
    assert y.dtype == np.int64
    assert y.tolist() == [-1, 1, 2**59]


def test_types_are_not_mixed():
    with pytest.raises(TypeError):
        conv()(random(1, 2, 5, 5))


# ---------------------------------------------------------------------------- learning


def test_learning():
    """A step along the gradient makes a loss smaller, in every parameter at once."""
    graph = network(
        """(float[N,2,H,W] x) => (float[N,3] y) {
        a = Conv(x, w, b)
        c = BatchNormalization(a, scale, shift, mean, var)
        d = PRelu(c, slope)
        e, mask = Dropout(d)
        s = Shape(e)
        i = Constant<value_ints = [0]>()
        n = Gather(s, i)
        m = Constant<value_ints = [-1]>()
        t = Concat<axis = 0>(n, m)
        f = Reshape(e, t)
        y = MatMul(f, last) }""",
        w=random(4, 2, 3, 3, dtype=FLOAT),
        b=random(4, dtype=FLOAT),
        scale=np.ones(4, FLOAT),
        shift=np.zeros(4, FLOAT),
        mean=np.zeros(4, FLOAT),
        var=np.ones(4, FLOAT),
        slope=np.full((4, 1, 1), 0.25, FLOAT),
        last=random(4 * 9, 3, dtype=FLOAT),
    ).eval()
    x = random(5, 2, 5, 5, dtype=FLOAT)
    names = {name for name, _ in graph.named_parameters()}
    assert names == {"a.weight", "a.bias", "c.weight", "c.bias", "d.weight", "y.weight"}
    y, backward = graph.forward(x)
    backward(y)  # of the loss sum(y^2) / 2
    for parameter in graph.parameters():
        parameter.assign(parameter.data - FLOAT(1e-5) * parameter.grad)
        before, now = np.square(y).sum(), np.square(graph(x)).sum()
        assert now < before
        y = graph(x)


def test_batch_statistics_while_training():
    """ONNX's momentum is the share of the old statistics, torch's that of the new."""
    vectors = dict.fromkeys(("scale", "var"), np.ones(2, FLOAT))
    graph = network(
        """(float[N,2,H,W] x) => (float[N,2,H,W] y) {
        y = BatchNormalization<momentum = 0.75>(x, scale, mean, mean, var) }""",
        mean=np.zeros(2, FLOAT),
        **vectors,
    )
    x = random(3, 2, 4, 4, dtype=FLOAT)
    np.testing.assert_allclose(graph(x), x / np.sqrt(FLOAT(1 + 1e-5)), rtol=1e-6)
    y, _ = graph.forward(x)
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(graph.y.running_mean, 0.25 * x.mean(axis=(0, 2, 3)), rtol=1e-5)


# ---------------------------------------------------------------------------- refused


def test_all_that_is_missing_is_listed_at_once():
    made = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17, "com.example" : 1]>
        test (float[N] x) => (float[N] y) {
        [first] a = Det(x)
        b = com.example.Relu(a)
        c = Det(b)
        [pool] d = MaxPool<kernel_shape = [2], surprise = 1>(c)
        y = Conv<auto_pad = "SOMEHOW">(d, d) }"""
    )
    with pytest.raises(NotImplementedError) as caught:
        build(made, Path(), "load_onnx: file")
    assert str(caught.value).splitlines() == [
        "load_onnx: file: not supported:",
        "  Conv: auto_pad SOMEHOW: y",
        "  MaxPool: attribute surprise: pool",
        "  operator Det: first, c",
        "  operator com.example.Relu: b",
    ]


def test_many_of_a_kind_are_counted():
    nodes = " ".join(f"a{i + 1} = Det(a{i})" for i in range(100))
    with pytest.raises(NotImplementedError, match="operator Det: a1, a2, a3 and 97 more"):
        network(f"(float[N] a0) => (float[N] a100) {{ {nodes} }}")


def test_an_opset_of_the_future():
    with pytest.raises(NotImplementedError, match="opset 9999: the installed onnx knows 1 to"):
        network("(float[N] x) => (float[N] y) { y = Relu(x) }", opset=9999)


def test_an_operator_that_the_opset_has_not():
    with pytest.raises(NotImplementedError, match="Gelu: there is none in opset 17"):
        network("(float[N] x) => (float[N] y) { y = Gelu(x) }")


def test_an_input_that_is_no_tensor():
    with pytest.raises(NotImplementedError, match="inputs that are not tensors: x"):
        network("(seq(float[N]) x, float[N] z) => (float[N] y) { y = Relu(z) }")
