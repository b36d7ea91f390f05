"""The normalisation layers: modes, running statistics, state, gradients, errors."""

import numpy as np
import pytest

from cnnfast import functional, nn
from tests import oracle
from tests.helpers import assert_same, channels_last, random

LAYERS = [(nn.BatchNorm1d, (6, 3)), (nn.BatchNorm1d, (2, 3, 7)), (nn.BatchNorm2d, (2, 3, 4, 5))]
each_layer = pytest.mark.parametrize(("layer", "shape"), LAYERS)


def learned(layer, **options):
    """A layer of three channels with other parameters than it begins with."""
    module = layer(3, dtype=np.float64, **options)
    if module.affine:
        module.weight.assign(np.array([0.5, -1.0, 2.0]))
        module.bias.assign(np.array([1.0, 2.0, 3.0]))
    return module


def scaled(xhat):
    """What `learned` makes of normalised elements."""
    weight, bias = [0.5, -1.0, 2.0], [1.0, 2.0, 3.0]
    return xhat * oracle.per_channel(weight, xhat.ndim) + oracle.per_channel(bias, xhat.ndim)


@each_layer
def test_training_takes_the_moments_of_the_batch(layer, shape):
    module, x = learned(layer), random(*shape)
    y, _ = module.forward(x)
    want = oracle.normalized(x, oracle.over_batch(x), 1e-5)
    np.testing.assert_allclose(y, scaled(want.xhat), atol=1e-12)


@each_layer
@pytest.mark.parametrize("momentum", [0.1, 0.25, 1, 0, None])
def test_running_statistics(layer, shape, momentum):
    module = learned(layer, momentum=momentum)
    count = np.prod(shape) // 3
    mean, var = np.zeros(3), np.ones(3)
    for batch in range(3):
        x = random(*shape, seed=batch) + batch
        module.forward(x)
        axes = oracle.over_batch(x)
        share = 1 / (batch + 1) if momentum is None else momentum
        mean += share * (x.mean(axes) - mean)
        var += share * (x.var(axes) * count / (count - 1) - var)
        np.testing.assert_allclose(module.running_mean, mean, atol=1e-12)
        np.testing.assert_allclose(module.running_var, var, atol=1e-12)
        assert module.num_batches_tracked == batch + 1

    before = module.state_dict()
    xhat = (x - oracle.per_channel(mean, x.ndim)) / np.sqrt(oracle.per_channel(var, x.ndim) + 1e-5)
    np.testing.assert_allclose(module(x), scaled(xhat), atol=1e-12)
    y, backward = module.eval().forward(x)
    assert_same(y, module(x))
    gx = backward(np.ones_like(x))
    root = oracle.per_channel([0.5, -1.0, 2.0] / np.sqrt(var + 1e-5), x.ndim)
    np.testing.assert_allclose(gx, np.broadcast_to(root, x.shape), atol=1e-12)
    for name, value in module.state_dict().items():
        assert_same(value, before[name])


@each_layer
def test_gradients_of_training(layer, shape):
    module, x, grad = learned(layer), random(*shape), random(*shape, seed=1)
    _, backward = module.forward(x)
    module.forward(x + 1)  # moves the running statistics, but not this backward pass
    gx = backward(grad)
    want = oracle.normalized(x, oracle.over_batch(x), 1e-5)
    factor = oracle.per_channel([0.5, -1.0, 2.0], x.ndim)
    np.testing.assert_allclose(gx, want.backward(grad * factor), atol=1e-12)
    np.testing.assert_allclose(module.weight.grad, (grad * want.xhat).sum(want.axes), atol=1e-12)
    np.testing.assert_allclose(module.bias.grad, grad.sum(want.axes), atol=1e-12)


def test_running_statistics_are_replaced_not_written_to():
    module, x = nn.BatchNorm2d(3, dtype=np.float64), random(2, 3, 4, 5)
    mean, var = module.running_mean, module.running_var
    _, backward = module.eval().forward(x)
    module.train().forward(x + 1)
    assert_same(mean, np.zeros(3))
    assert_same(var, np.ones(3))
    np.testing.assert_allclose(backward(np.ones_like(x)), 1 / np.sqrt(1 + 1e-5))


@each_layer
def test_without_running_statistics(layer, shape):
    module, x = learned(layer, track_running_stats=False), random(*shape)
    assert list(module.state_dict()) == ["weight", "bias"]
    y, _ = module.forward(x)
    assert_same(module(x), y)
    assert_same(module.eval()(x), y)
    y_eval, backward = module.forward(x)
    assert_same(y_eval, y)
    assert abs(backward(random(*shape)).sum()) < 1e-12


def test_without_parameters():
    module, x = nn.BatchNorm2d(3, affine=False, dtype=np.float64), random(2, 3, 4, 5)
    assert list(module.parameters()) == []
    assert list(module.state_dict()) == ["running_mean", "running_var", "num_batches_tracked"]
    y, backward = module.forward(x)
    assert_same(y, functional.batch_norm_train(x)[0])
    assert backward(x).shape == x.shape


def test_state_with_buffers():
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
    names = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert list(module.state_dict())[2:] == [f"1.{name}" for name in names]
    x = random(2, 2, 6, 6, dtype=np.float32)
    module.forward(x)
    other = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
    other.load_state_dict(module.state_dict())
    assert other[1].num_batches_tracked == 1
    assert other[1].num_batches_tracked.dtype == np.int64
    assert_same(other(x), module(x))
    other.forward(x)
    assert other[1].num_batches_tracked == 2
    assert module[1].num_batches_tracked == 1

    double = module.astype(np.float64)
    assert double[1].running_var.dtype == np.float64
    assert double[1].num_batches_tracked.dtype == np.int64
    np.testing.assert_allclose(double(x.astype(np.float64)), module(x), atol=1e-5)


@each_layer
def test_dtype_and_memory_order(layer, shape):
    module, x = layer(3), random(*shape, dtype=np.float32)
    y, backward = module.forward(x)
    assert y.dtype == backward(x).dtype == np.float32
    assert {value.dtype for value in module.state_dict().values()} == {
        np.dtype(np.float32),
        np.dtype(np.int64),
    }
    if x.ndim == 4:
        assert module(channels_last(x)).strides == channels_last(x).strides
    with pytest.raises(TypeError, match="all arrays must have one dtype"):
        module(x.astype(np.float64))


def test_what_the_layers_refuse():
    with pytest.raises(ValueError, match=r"BatchNorm2d: x must have 4 dimensions and 3 channels"):
        nn.BatchNorm2d(3)(np.ones((2, 3), np.float32))
    with pytest.raises(ValueError, match=r"BatchNorm1d: x must have 2 or 3 dim.* \(2, 4\)"):
        nn.BatchNorm1d(3, affine=False, track_running_stats=False)(np.ones((2, 4), np.float32))
    with pytest.raises(ValueError, match="at least 2 values a channel"):
        nn.BatchNorm1d(3).forward(np.ones((1, 3), np.float32))
    with pytest.raises(TypeError, match="x must be a NumPy array"):
        nn.BatchNorm1d(3)([[1.0, 2.0, 3.0]])
    with pytest.raises(ValueError, match="BatchNorm1d: num_features must be at least 1"):
        nn.BatchNorm1d(0)
    with pytest.raises(ValueError, match="BatchNorm1d: momentum must be in"):
        nn.BatchNorm1d(3, momentum=1.5)
    with pytest.raises(TypeError, match="dtype must be float32 or float64"):
        nn.BatchNorm1d(3, dtype=int)


@pytest.mark.parametrize("momentum", [0.25, None])
def test_instance_norm(momentum):
    x, grad = random(2, 3, 4, 5), random(2, 3, 4, 5, seed=1)
    module = learned(nn.InstanceNorm2d, affine=True, momentum=momentum, track_running_stats=True)
    want = oracle.normalized(x, (2, 3), 1e-5)
    y, backward = module.forward(x)
    np.testing.assert_allclose(y, scaled(want.xhat), atol=1e-12)
    share = 1 if momentum is None else momentum
    mean, var = share * want.mean.mean(0).ravel(), want.var.mean(0).ravel() * 20 / 19
    var = 1 - share + share * var
    np.testing.assert_allclose(module.running_mean, mean, atol=1e-12)
    np.testing.assert_allclose(module.running_var, var, atol=1e-12)
    factor = oracle.per_channel([0.5, -1.0, 2.0], 4)
    np.testing.assert_allclose(backward(grad), want.backward(grad * factor), atol=1e-12)
    np.testing.assert_allclose(module.weight.grad, (grad * want.xhat).sum((0, 2, 3)), atol=1e-12)

    xhat = (x - oracle.per_channel(mean, 4)) / np.sqrt(oracle.per_channel(var, 4) + 1e-5)
    np.testing.assert_allclose(module(x), scaled(xhat), atol=1e-12)
    y, backward = module.eval().forward(x)
    assert_same(y, module(x))
    np.testing.assert_allclose(
        backward(grad), grad * factor / np.sqrt(oracle.per_channel(var, 4) + 1e-5), atol=1e-12
    )

    plain = nn.InstanceNorm2d(3, dtype=np.float64)
    assert list(plain.state_dict()) == []
    np.testing.assert_allclose(plain(x), want.xhat, atol=1e-12)
    np.testing.assert_allclose(plain.eval().forward(x)[1](grad), want.backward(grad), atol=1e-12)
    with pytest.raises(ValueError, match="instance_norm: x must have at least 2 values a channel"):
        plain(x[:, :, :1, :1])


def test_group_norm():
    x, grad = random(2, 6, 4), random(2, 6, 4, seed=1)
    module = nn.GroupNorm(2, 6, 0.1, dtype=np.float64)
    module.weight.assign(np.arange(6.0))
    module.bias.assign(np.ones(6))
    y, backward = module.forward(x)
    assert_same(y, functional.group_norm(x, 2, np.arange(6.0), np.ones(6), 0.1))
    assert_same(module(x), y)
    gx, gw, gb = functional.group_norm_backward(grad, x, 2, np.arange(6.0), 0.1)
    for got, want in zip(
        (backward(grad), module.weight.grad, module.bias.grad), (gx, gw, gb), strict=True
    ):
        assert_same(got, want)
    plain = nn.GroupNorm(2, 6, affine=False)
    assert list(plain.parameters()) == []
    assert repr(plain) == "GroupNorm(2, 6, eps=1e-05, affine=False)"
    with pytest.raises(ValueError, match="num_channels 5 must be a multiple of num_groups 2"):
        nn.GroupNorm(2, 5)


def test_layer_norm():
    x, grad, weight = random(2, 3, 4), random(2, 3, 4, seed=1), random(3, 4, seed=2)
    module = nn.LayerNorm((3, 4), 0.1, dtype=np.float64)
    module.weight.assign(weight)
    module.bias.assign(np.ones((3, 4)))
    y, backward = module.forward(x)
    assert_same(y, functional.layer_norm(x, (3, 4), weight, np.ones((3, 4)), 0.1))
    assert_same(module(x), y)
    gx, gw, gb = functional.layer_norm_backward(grad, x, (3, 4), weight, 0.1)
    for got, want in zip(
        (backward(grad), module.weight.grad, module.bias.grad), (gx, gw, gb), strict=True
    ):
        assert_same(got, want)
    assert list(nn.LayerNorm(4, bias=False).state_dict()) == ["weight"]
    assert list(nn.LayerNorm(4, elementwise_affine=False).state_dict()) == []
    assert repr(nn.LayerNorm(4)) == "LayerNorm((4,), eps=1e-05, elementwise_affine=True)"


def test_local_response_norm():
    module, x, grad = nn.LocalResponseNorm(3, 2, 0.5, 3), random(2, 5, 4), random(2, 5, 4, seed=1)
    y, backward = module.forward(x)
    assert_same(y, functional.local_response_norm(x, 3, 2, 0.5, 3))
    assert_same(module(x), y)
    assert_same(backward(grad), functional.local_response_norm_backward(grad, x, 3, 2, 0.5, 3))
    assert repr(module) == "LocalResponseNorm(3, alpha=2.0, beta=0.5, k=3.0)"
    with pytest.raises(ValueError, match="LocalResponseNorm: size must lie in 1"):
        nn.LocalResponseNorm(0)


def test_repr():
    assert repr(nn.BatchNorm2d(3)) == (
        "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)"
    )


@pytest.mark.parametrize("last", [False, True])
def test_batch_norm_of_volumes_is_that_of_images(last):
    """The depth may as well be more rows."""
    rng = np.random.default_rng(0)
    volumes = rng.standard_normal((2, 3, 4, 5, 6))
    if last:
        volumes = np.moveaxis(np.ascontiguousarray(np.moveaxis(volumes, 1, -1)), -1, 1)
    layers = nn.BatchNorm3d(3, dtype=np.float64), nn.BatchNorm2d(3, dtype=np.float64)
    (y, backward), (want, wanted) = (
        layer.forward(x)
        for layer, x in zip(layers, (volumes, volumes.reshape(2, 3, 20, 6)), strict=True)
    )
    np.testing.assert_array_equal(y, want.reshape(y.shape))
    assert y.strides == volumes.strides
    grad = rng.standard_normal(y.shape)
    gx = backward(grad)
    np.testing.assert_allclose(gx, wanted(grad.reshape(want.shape)).reshape(gx.shape), atol=1e-12)
    assert gx.strides == volumes.strides
    images = volumes.reshape(2, 3, 20, 6)
    np.testing.assert_array_equal(layers[0](volumes), layers[1](images).reshape(y.shape))
    with pytest.raises(ValueError, match="BatchNorm3d: x must have 5 dimensions and 3 channels"):
        layers[0](want)
