"""Exported networks: the checker accepts them, and ONNX's reference computes what they do.

ONNX Runtime, where it is installed, does so too.
"""

import sys

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from cnnfast import export_onnx, load_onnx, models, nn
from cnnfast.io.onnx.export import model as export
from cnnfast.nn import Graph, Sequential
from tests.helpers import random

IMAGE = (2, 4, 9, 7)
RELATIVE = {np.float32: 1e-5, np.float64: 1e-6}  # ONNX's attributes are float32

LAYERS = {
    "conv": (nn.Conv2d(4, 6, 3), IMAGE),
    "conv_stride": (nn.Conv2d(4, 6, (3, 2), stride=(2, 3), padding=(2, 1)), IMAGE),
    "conv_sides": (nn.Conv2d(4, 6, 3, padding=((0, 2), (1, 3)), bias=False), IMAGE),
    "conv_same": (nn.Conv2d(4, 6, (4, 3), padding="same", dilation=(1, 2)), IMAGE),
    "conv_valid": (nn.Conv2d(4, 6, 3, padding="valid"), IMAGE),
    "conv_groups": (nn.Conv2d(4, 8, 3, groups=4), IMAGE),
    "conv_1d": (nn.Conv1d(4, 6, 3, 2, padding=((1, 2),)), (2, 4, 9)),
    "conv_3d": (nn.Conv3d(4, 6, (2, 3, 1), 1, (1, 0, 2), groups=2), (2, 4, 3, 5, 4)),
    "conv_transpose": (nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1), (2, 4, 3, 5)),
    "conv_transpose_sides": (
        nn.ConvTranspose2d(4, 6, (4, 3), (1, 3), ((0, 1), (2, 0)), dilation=(2, 1)),
        (2, 4, 3, 5),
    ),
    "conv_transpose_groups": (nn.ConvTranspose2d(4, 6, 3, 2, groups=2), (2, 4, 3, 5)),
    "conv_transpose_1d": (nn.ConvTranspose1d(4, 6, 4, 2, 1, bias=False), (2, 4, 5)),
    "conv_transpose_3d": (nn.ConvTranspose3d(4, 2, 2, 2), (2, 4, 3, 2, 3)),
    "locally_connected": (
        nn.LocallyConnected2d(4, 3, (9, 7), (3, 2), (2, 1), ((1, 0), (0, 2)), (2, 1)),
        IMAGE,
    ),
    "locally_connected_no_bias": (nn.LocallyConnected2d(4, 3, (9, 7), 3, bias=False), IMAGE),
    "max_pool_1d": (nn.MaxPool1d(3, 2, 1, ceil_mode=True), (2, 4, 8)),
    "max_pool_3d": (nn.MaxPool3d((1, 2, 3), 2), (2, 4, 3, 5, 7)),
    "avg_pool_1d": (nn.AvgPool1d(3, 2, 1, ceil_mode=True), (2, 4, 8)),
    "avg_pool_3d": (nn.AvgPool3d(2, 2, 1, count_include_pad=False), (2, 4, 3, 5, 7)),
    "lp_pool_1d": (nn.LPPool1d(2, 3, 2), (2, 4, 8)),
    "lp_pool_3d": (nn.LPPool3d(1.5, 2), (2, 4, 3, 5, 7)),
    "upsample": (nn.Upsample(scale_factor=2), IMAGE),
    "upsample_size": (nn.Upsample((20, 5)), IMAGE),
    "upsample_down": (nn.Upsample(scale_factor=(0.4, 1.7)), IMAGE),
    "upsample_bilinear": (nn.Upsample(scale_factor=(2, 3), mode="bilinear"), IMAGE),
    "upsample_bilinear_size": (nn.Upsample((20, 5), mode="bilinear"), IMAGE),
    "upsample_bilinear_factor": (nn.Upsample(None, (1.3, 0.6), "bilinear"), IMAGE),
    "upsample_bilinear_corners": (nn.Upsample((1, 14), None, "bilinear", True), IMAGE),
    "zero_pad": (nn.ZeroPad2d((1, 2, 0, 3)), IMAGE),
    "zero_pad_cuts": (nn.ZeroPad2d((-1, 2, -3, 0)), IMAGE),
    "constant_pad": (nn.ConstantPad2d(2, 1.5), IMAGE),
    "reflection_pad": (nn.ReflectionPad2d(((1, 3), (0, 2))), IMAGE),
    "replication_pad": (nn.ReplicationPad2d((1, 2, 0, 3)), IMAGE),
    "max_pool": (nn.MaxPool2d(3, 2, 1), IMAGE),
    "max_pool_sides": (nn.MaxPool2d((2, 3), padding=((0, 1), (1, 0))), IMAGE),
    "max_pool_dilation": (nn.MaxPool2d(2, 2, 1, dilation=(3, 2)), IMAGE),
    "max_pool_ceil": (nn.MaxPool2d(3, 2, ceil_mode=True), (2, 4, 8, 10)),
    "max_pool_ceil_drops": (nn.MaxPool2d(2, 3, 1, ceil_mode=True), (1, 2, 6, 7)),
    "avg_pool": (nn.AvgPool2d(3, 2, 1), IMAGE),
    "avg_pool_sides": (nn.AvgPool2d(3, 2, ((0, 1), (1, 0))), IMAGE),
    "avg_pool_exclude": (nn.AvgPool2d(3, 2, 1, count_include_pad=False), IMAGE),
    "avg_pool_ceil": (nn.AvgPool2d(3, 2, ceil_mode=True), (2, 4, 8, 10)),
    "avg_pool_ceil_pad": (nn.AvgPool2d(3, 2, 1, ceil_mode=True), (2, 4, 8, 10)),
    "avg_pool_ceil_exclude": (
        nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
        (2, 4, 8, 10),
    ),
    "avg_pool_divisor": (
        nn.AvgPool2d((3, 2), 2, 1, ceil_mode=True, divisor_override=5),
        (2, 4, 8, 9),
    ),
    "lp_pool": (nn.LPPool2d(2, 3, 2), IMAGE),
    "lp_pool_ceil": (nn.LPPool2d(3, 3, 2, ceil_mode=True), (2, 4, 8, 10)),
    "lp_pool_fraction": (nn.LPPool2d(1.5, 3, 2, ceil_mode=True), (2, 4, 8, 10)),
    "global_avg_pool": (nn.GlobalAvgPool2d(), IMAGE),
    "global_max_pool": (nn.GlobalMaxPool2d(), IMAGE),
    "adaptive_avg_pool_one": (nn.AdaptiveAvgPool2d(1), IMAGE),
    "adaptive_avg_pool_equal": (nn.AdaptiveAvgPool2d((3, None)), IMAGE),
    "adaptive_avg_pool": (nn.AdaptiveAvgPool2d((4, 9)), IMAGE),
    "adaptive_max_pool": (nn.AdaptiveMaxPool2d((3, 1)), IMAGE),
    "zero_pad_channels": (nn.ZeroPadChannels(1, 2), IMAGE),
    "batch_norm": (nn.BatchNorm2d(4), IMAGE),
    "batch_norm_plain": (nn.BatchNorm2d(4, affine=False), IMAGE),
    "batch_norm_of_batch": (nn.BatchNorm2d(4, eps=0.1, track_running_stats=False), IMAGE),
    "batch_norm_1d": (nn.BatchNorm1d(4), (3, 4)),
    "batch_norm_1d_long": (nn.BatchNorm1d(4), (3, 4, 5)),
    "batch_norm_1d_of_batch": (nn.BatchNorm1d(4, affine=False, track_running_stats=False), (3, 4)),
    "batch_norm_3d": (nn.BatchNorm3d(4), (2, 4, 3, 2, 5)),
    "group_norm_3d": (nn.GroupNorm(2, 4), (2, 4, 3, 2, 5)),
    "group_norm": (nn.GroupNorm(2, 4), IMAGE),
    "group_norm_plain": (nn.GroupNorm(2, 6, affine=False), (3, 6)),
    "instance_norm": (nn.InstanceNorm2d(4, affine=True), IMAGE),
    "instance_norm_plain": (nn.InstanceNorm2d(4), IMAGE),
    "instance_norm_running": (nn.InstanceNorm2d(4, track_running_stats=True), IMAGE),
    "layer_norm": (nn.LayerNorm((9, 7)), IMAGE),
    "layer_norm_no_bias": (nn.LayerNorm(7, bias=False), IMAGE),
    "layer_norm_plain": (nn.LayerNorm(7, elementwise_affine=False), (3, 7)),
    # As many images as channels: the reference takes the one number for the other.
    "lrn": (nn.LocalResponseNorm(3, alpha=0.5, beta=0.6, k=2.0), (6, 6, 3, 4)),
    "lrn_even": (nn.LocalResponseNorm(4, alpha=0.5, beta=0.6, k=2.0), (2, 6, 3, 4)),
    "lrn_long": (nn.LocalResponseNorm(3, alpha=0.5), (2, 6, 5)),
    "linear": (nn.Linear(5, 3), (4, 5)),
    "linear_no_bias": (nn.Linear(5, 3, bias=False), (4, 5)),
    "flatten": (nn.Flatten(), IMAGE),
    "dropout": (nn.Dropout(), IMAGE),
    "relu": (nn.ReLU(), IMAGE),
    "relu6": (nn.ReLU6(), IMAGE),
    "leaky_relu": (nn.LeakyReLU(0.2), IMAGE),
    "prelu": (nn.PReLU(), IMAGE),
    "prelu_channels": (nn.PReLU(4), IMAGE),
    "prelu_features": (nn.PReLU(4), (3, 4)),
    "sigmoid": (nn.Sigmoid(), IMAGE),
    "tanh": (nn.Tanh(), IMAGE),
    "elu": (nn.ELU(0.5), IMAGE),
    "selu": (nn.SELU(), IMAGE),
    "gelu": (nn.GELU(), IMAGE),
    "gelu_tanh": (nn.GELU("tanh"), IMAGE),
    "silu": (nn.SiLU(), IMAGE),
    "softplus": (nn.Softplus(), IMAGE),
    "softplus_beta": (nn.Softplus(2.0, 3.0), IMAGE),
    "softplus_threshold": (nn.Softplus(1.0, 2.0), IMAGE),
    "hardsigmoid": (nn.Hardsigmoid(), IMAGE),
    "hardswish": (nn.Hardswish(), IMAGE),
    "softmax": (nn.Softmax(), (3, 5)),
    "softmax_channels": (nn.Softmax(1), IMAGE),
    "log_softmax": (nn.LogSoftmax(), (3, 5)),
}

# What the reference cannot do, though ONNX can: a bias on groups, negative padding.
NOT_IN_REFERENCE = {"conv_transpose_groups", "zero_pad_cuts"}


def randomized(model):
    """Make every parameter and buffer matter: nothing is 0 or 1."""
    rng = np.random.default_rng(1)
    state = model.state_dict()
    for name, array in state.items():
        if array.dtype.kind == "f":
            array[...] = rng.uniform(0.5, 1.5, array.shape)
            array *= 1 if name.endswith("var") else rng.choice([-0.3, 0.3], array.shape)
    model.load_state_dict(state)
    return model


def exported(model, path, input_shape):
    export_onnx(model, path, input_shape)
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def reference(proto, *xs):
    feeds = {value.name: x for value, x in zip(proto.graph.input, xs, strict=True)}
    return ReferenceEvaluator(proto).run(None, feeds)


def shape_of(value):
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


def close(actual, expected, dtype=np.float32):
    assert actual.dtype == expected.dtype == dtype
    scale = np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=RELATIVE[dtype] * scale)


# ---------------------------------------------------------------------------- layers


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LAYERS)
def test_layer(name, dtype, tmp_path):
    layer, shape = LAYERS[name]
    layer = randomized(layer.astype(dtype))
    x = 3 * random(*shape, dtype=dtype)
    # In a network, so that there are parameters to take the dtype from.
    first = {
        2: nn.Linear(shape[1], shape[1]),
        3: nn.BatchNorm1d(shape[1]),
        4: nn.Conv2d(shape[1], shape[1], 1),
        5: nn.Conv3d(shape[1], shape[1], 1),
    }[len(shape)]
    model = Sequential({"first": first.astype(dtype), "layer": layer})
    proto = exported(model, tmp_path / "model.onnx", (None, *shape[1:]))
    expected = model(x)
    if name not in NOT_IN_REFERENCE:
        (y,) = reference(proto, x)
        close(y, expected, dtype)
    assert shape_of(proto.graph.output[0]) == ["N", *expected.shape[1:]]


@pytest.mark.parametrize("name", LAYERS)
def test_layer_comes_back(name, tmp_path):
    layer, shape = LAYERS[name]
    model = randomized(layer.astype(np.float32))
    x = 3 * random(*shape, dtype=np.float32)
    export_onnx(model, tmp_path / "model.onnx", (None, *shape[1:]))
    close(load_onnx(tmp_path / "model.onnx")(x), model(x))


@pytest.mark.parametrize("name", LAYERS)
def test_layer_in_onnx_runtime(name, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    layer, shape = LAYERS[name]
    model = randomized(layer.astype(np.float32))
    x = 3 * random(*shape, dtype=np.float32)
    export_onnx(model, tmp_path / "model.onnx", (None, *shape[1:]))
    session = runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"input": x})
    close(y, model(x))


def test_every_layer_is_written():
    elsewhere = {nn.Add, nn.Concatenate, nn.MaxUnpool2d}
    kinds = {type(layer) for layer, _ in LAYERS.values()} | elsewhere
    containers = {nn.Module, nn.Graph, nn.Sequential, nn.Residual, nn.Concat}
    losses = {kind for kind in vars(nn).values() if getattr(kind, "__name__", "").endswith("Loss")}
    public = {
        kind for kind in vars(nn).values() if isinstance(kind, type) and issubclass(kind, nn.Module)
    }
    assert public - containers - losses == kinds


# ---------------------------------------------------------------------------- networks


def block(channels):
    conv = {"conv": nn.Conv2d(channels, channels, 3, padding=1), "bn": nn.BatchNorm2d(channels)}
    return Sequential({"block": nn.Residual(Sequential(conv)), "relu": nn.ReLU()})


def test_branches_and_names(tmp_path):
    model = Sequential(
        {
            "stem": nn.Conv2d(3, 4, 3),
            "layer1": Sequential(block(4), block(4)),
            "inception": nn.Concat(nn.Conv2d(4, 2, 1), nn.MaxPool2d(3, 1, padding=1)),
            "act": nn.SiLU(),
            "drop": nn.Dropout(),
            "pool": nn.GlobalAvgPool2d(),
            "flatten": nn.Flatten(),
            "fc": nn.Linear(6, 5),
        }
    )
    randomized(model)
    proto = exported(model, tmp_path / "model.onnx", (None, 3, 8, 8))
    x = random(5, 3, 8, 8, dtype=np.float32)
    close(reference(proto, x)[0], model(x))
    assert [node.name for node in proto.graph.node] == [
        "stem",
        "layer1.0.block.body.conv",
        "layer1.0.block.body.bn",
        "layer1.0.block.add",
        "layer1.0.relu",
        "layer1.1.block.body.conv",
        "layer1.1.block.body.bn",
        "layer1.1.block.add",
        "layer1.1.relu",
        "inception.0",
        "inception.1",
        "inception.concat",
        "act/Sigmoid",
        "act",
        "pool",
        "flatten",
        "output",
    ]
    state = model.state_dict()
    written = {t.name: onnx.numpy_helper.to_array(t) for t in proto.graph.initializer}
    assert set(state) - set(written) == {n for n in state if n.endswith("num_batches_tracked")}
    for name, array in written.items():
        np.testing.assert_array_equal(array, state[name])
    assert (proto.ir_version, proto.opset_import[0].version) == (9, 20)


def test_lenet_with_a_fixed_batch(tmp_path):
    model = models.lenet5()
    proto = exported(model, tmp_path / "lenet.onnx", (3, 1, 28, 28))
    assert shape_of(proto.graph.input[0]) == [3, 1, 28, 28]
    assert shape_of(proto.graph.output[0]) == [3, 10]
    x = random(3, 1, 28, 28, dtype=np.float32)
    close(reference(proto, x)[0], model(x))


def test_several_inputs_and_outputs(tmp_path):
    model = Graph(
        {
            "sum": (nn.Add(), "left", "right"),
            "relu": (nn.ReLU(), "sum"),
            "drop": (nn.Dropout(), "relu"),
        },
        inputs=["left", "right"],
        outputs=["drop", "relu", "left", "sum", "relu"],
    )
    shapes = [(None, 3, 2), (None, 3, 2)]
    proto = exported(model, tmp_path / "model.onnx", shapes)
    xs = random(4, 3, 2, dtype=np.float32), random(4, 3, 2, dtype=np.float32, seed=1)
    assert [value.name for value in proto.graph.output] == [f"output{i}" for i in range(5)]
    for y, expected in zip(reference(proto, *xs), model(*xs), strict=True):
        np.testing.assert_array_equal(y, expected)


def test_pooled_and_unpooled(tmp_path):
    model = Graph(
        {
            "pool": (nn.MaxPool2d((2, 3), 2, (0, 1), return_indices=True), "input"),
            "unpool": (nn.MaxUnpool2d(2), "pool:0", "pool:1"),
        },
        outputs=["pool:0", "unpool", "pool:1"],
    )
    proto = exported(model, tmp_path / "model.onnx", (None, 3, 8, 7))
    x = random(4, 3, 8, 7, dtype=np.float32)
    for y, expected in zip(reference(proto, x), model(x), strict=True):
        np.testing.assert_array_equal(y, expected)
    with pytest.raises(NotImplementedError, match="pool gives several values"):
        export_onnx(Sequential({"pool": model.pool}), tmp_path / "no.onnx", (None, 3, 8, 7))


def test_a_layer_that_serves_twice(tmp_path):
    norm, prelu = nn.BatchNorm1d(3), nn.PReLU(3)
    model = randomized(Sequential(norm, prelu, norm, nn.Flatten(), nn.Linear(6, 3), prelu))
    proto = exported(model, tmp_path / "model.onnx", (None, 3, 2))
    x = random(4, 3, 2, dtype=np.float32)
    close(reference(proto, x)[0], model(x))
    names = [t.name for t in proto.graph.initializer]
    assert sorted(names) == sorted(
        [f"0.{n}" for n in ("weight", "bias", "running_mean", "running_var")]
        + ["1.weight", "1.weight_1", "4.weight", "4.bias"]
    )


def test_names_that_are_taken(tmp_path):
    model = Graph(
        {"output": (nn.Linear(2, 2), "output.weight"), "end": (nn.ReLU(), "output")},
        inputs=["output.weight"],
    )
    proto = exported(model, tmp_path / "model.onnx", (None, 2))
    assert [v.name for v in (*proto.graph.input, *proto.graph.output)] == [
        "output.weight",
        "output",
    ]
    assert [node.name for node in proto.graph.node] == ["output_1", "output"]
    assert [t.name for t in proto.graph.initializer] == ["output.weight_1", "output.bias"]
    x = random(4, 2, dtype=np.float32)
    close(reference(proto, x)[0], model(x))


def test_nothing_at_all(tmp_path):
    proto = exported(Sequential(), tmp_path / "model.onnx", (None, 2))
    x = random(3, 2, dtype=np.float32)
    np.testing.assert_array_equal(reference(proto, x)[0], x)


# ---------------------------------------------------------------------------- bad input


class Own(nn.ReLU):
    def __call__(self, x):
        return 2 * x


class Named(nn.ReLU):
    """Computes what its base does."""


def test_unknown_layers_are_named_at_once(tmp_path):
    model = Sequential({"a": Own(), "b": nn.ReLU(), "c": nn.Module(), "d": Own(), "e": Named()})
    with pytest.raises(NotImplementedError, match=r"Own \(a, d\), Module \(c\)$"):
        export_onnx(model, tmp_path / "model.onnx", (1, 2))
    assert list(tmp_path.iterdir()) == []


def test_windows_that_onnx_has_not(tmp_path):
    model = Sequential({"pool": nn.AdaptiveMaxPool2d(4)})
    with pytest.raises(NotImplementedError, match=r"pool: .* to make \(4, 4\) of \(9, 7\)"):
        export_onnx(model, tmp_path / "model.onnx", IMAGE)


@pytest.mark.parametrize(
    "shape", [(), 3, (1, None), (0, 2), (1, 2.0), "shape", (None, -1), [(1, 2), (1, 2)]]
)
def test_wrong_shapes(shape, tmp_path):
    with pytest.raises(ValueError, match="export_onnx: input_shape must be"):
        export_onnx(nn.Linear(2, 2), tmp_path / "model.onnx", shape)


def test_an_input_that_does_not_fit(tmp_path):
    with pytest.raises(ValueError, match="linear: "):
        export_onnx(nn.Linear(2, 2), tmp_path / "model.onnx", (None, 3))


def test_too_many_parameters(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "LARGEST", 100)
    with pytest.raises(ValueError, match=r"parameters take 120 bytes, .* at most 100"):
        export_onnx(nn.Linear(5, 5), tmp_path / "model.onnx", (None, 5))


def test_an_older_file_survives_an_error(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"before")
    with pytest.raises(ValueError, match="linear: "):
        export_onnx(nn.Linear(2, 2), path, (None, 3))
    assert path.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


def test_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"export_onnx needs .* pip install 'cnnfast\[onnx\]'"):
        export_onnx(nn.ReLU(), tmp_path / "model.onnx", (None, 2))
