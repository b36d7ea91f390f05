"""Fully connected heads as convolutions: each position against the crop or the part of the map."""

import re

import numpy as np
import pytest

from cnnfast import models, nn
from cnnfast.nn import convert_linear_to_conv
from tests.helpers import random


def unpadded(rng, dtype=np.float64):
    """Three pools, so a step of 8; the smallest image is 22x22, and each 8 more a position."""
    make = {"rng": rng, "dtype": dtype}
    return nn.Sequential(
        {
            "features": nn.Sequential(
                nn.Conv2d(3, 4, 3, **make),  # 22 -> 20
                nn.ReLU(),
                nn.MaxPool2d(2),  # 10
                nn.Conv2d(4, 5, 3, **make),  # 8
                nn.Tanh(),
                nn.AvgPool2d(2),  # 4
                nn.MaxPool2d(2),  # 2
            ),
            "flatten": nn.Flatten(),
            "classifier": nn.Sequential(
                nn.Dropout(),
                nn.Linear(5 * 2 * 2, 7, **make),
                nn.ReLU(),
                nn.Linear(7, 6, bias=False, **make),
                nn.Softmax(),
            ),
        }
    )


def crops(x, size, step):
    """Give all crops of `size` at `step`, and how many there are along both axes."""
    rows, columns = ((n - size) // step + 1 for n in x.shape[2:])
    parts = [
        x[:, :, step * i : step * i + size, step * j : step * j + size]
        for i in range(rows)
        for j in range(columns)
    ]
    return parts, (rows, columns)


def test_every_position_is_the_crop_under_it():
    model = unpadded(np.random.default_rng(0))
    sliding = convert_linear_to_conv(model, (3, 22, 22))
    x = random(2, 3, 22 + 5 * 8, 22 + 5 * 8)
    parts, (rows, columns) = crops(x, 22, 8)
    assert (rows, columns) == (6, 6)
    y = sliding(x)
    assert y.shape == (2, 6, 6, 6)
    of_crops = np.stack([model(part) for part in parts], axis=2).reshape(y.shape)
    np.testing.assert_allclose(y, of_crops, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(sliding(parts[0])[:, :, 0, 0], model(parts[0]), rtol=1e-12)


def test_with_padding_every_position_is_the_head_on_its_part_of_the_map():
    make = {"rng": np.random.default_rng(1), "dtype": np.float64}
    features = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, **make),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 5, 3, padding=1, **make),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )
    head = nn.Sequential(
        nn.AdaptiveAvgPool2d(3),
        nn.Flatten(),
        nn.Linear(45, 8, **make),
        nn.ReLU(),
        nn.Linear(8, 4, **make),
    )
    model = nn.Sequential(features, head)
    sliding = convert_linear_to_conv(model, (3, 12, 12))
    assert len(sliding[1][0]) == len(sliding[1][1]) == 0  # pool and flatten are dropped
    x = random(2, 3, 24, 20)
    parts, (rows, columns) = crops(features(x), 3, 1)
    y = sliding(x)
    assert y.shape == (2, 4, rows, columns) == (2, 4, 4, 3)
    of_parts = np.stack([head(part) for part in parts], axis=2).reshape(y.shape)
    np.testing.assert_allclose(y, of_parts, rtol=1e-12, atol=1e-14)
    # The crop of the image is padded by zeros, so it is not the same.
    assert abs(model(x[:, :, :12, :12]) - y[:, :, 0, 0]).max() > 1e-3


@pytest.mark.parametrize(
    ("adaptive", "plain"),
    [
        (nn.AdaptiveAvgPool2d(1), nn.AvgPool2d),
        (nn.GlobalAvgPool2d(), nn.AvgPool2d),
        (nn.AdaptiveMaxPool2d((1, 1)), nn.MaxPool2d),
        (nn.GlobalMaxPool2d(), nn.MaxPool2d),
    ],
)
def test_a_global_pool_slides(adaptive, plain):
    conv = nn.Conv2d(2, 5, 3, stride=2, dtype=np.float64)
    model = nn.Sequential(
        conv, adaptive, nn.ReLU(), nn.Flatten(), nn.Linear(5, 4, dtype=np.float64)
    )
    sliding = convert_linear_to_conv(model, (2, 9, 7))  # a map of 4x3
    assert isinstance(sliding[1], plain)
    assert (sliding[1].kernel_size, sliding[1].stride) == ((4, 3), (1, 1))
    x = random(1, 2, 13, 13)
    y = sliding(x)
    assert y.shape == (1, 4, 3, 4)
    for i in range(3):
        for j in range(4):
            crop = x[:, :, 2 * i : 2 * i + 9, 2 * j : 2 * j + 7]
            np.testing.assert_allclose(y[:, :, i, j], model(crop), rtol=1e-12, atol=1e-14)


def test_an_adaptive_pool_to_several_positions_keeps_its_window():
    make = {"rng": np.random.default_rng(1), "dtype": np.float64}
    model = nn.Sequential(nn.AdaptiveAvgPool2d((2, 1)), nn.Flatten(), nn.Linear(6, 4, **make))
    sliding = convert_linear_to_conv(model, (3, 6, 5))
    assert (sliding[0].kernel_size, sliding[0].stride) == ((3, 5), (3, 1))
    x = random(1, 3, 9, 7)
    y = sliding(x)
    assert y.shape == (1, 4, 2, 3)
    np.testing.assert_allclose(y[:, :, 1, 2], model(x[:, :, 3:, 2:]), rtol=1e-12)


def test_it_is_a_copy_with_the_same_names_weights_and_modes():
    model = unpadded(np.random.default_rng(0), np.float32)
    model.classifier[1].requires_grad_(False)
    model.classifier.eval()
    before = model.state_dict()
    sliding = convert_linear_to_conv(model, (3, 22, 22))
    assert isinstance(model.classifier[1], nn.Linear)
    state = sliding.state_dict()
    assert state.keys() == before.keys()
    for name, array in state.items():
        np.testing.assert_array_equal(array.ravel(), before[name].ravel())
        assert array.dtype == np.float32
    assert state["classifier.1.weight"].shape == (7, 5, 2, 2)
    assert state["classifier.3.weight"].shape == (6, 7, 1, 1)
    assert sliding.classifier[3].bias is None
    assert not any(p.requires_grad for p in sliding.classifier[1].parameters())
    assert all(p.requires_grad for p in sliding.classifier[3].parameters())
    assert (sliding.features[0].training, sliding.classifier[1].training) == (True, False)
    with sliding.features[0].weight.writable() as w:
        w[:] = 0
    assert model.state_dict()["features.0.weight"].any()


def test_it_learns_as_the_model_does():
    model = unpadded(np.random.default_rng(0)).eval()
    sliding = convert_linear_to_conv(model, (3, 22, 22))
    x, grad = random(2, 3, 22, 22), random(2, 6, seed=1)
    gx = model.forward(x)[1](grad)
    np.testing.assert_allclose(
        sliding.forward(x)[1](grad[:, :, None, None]), gx, rtol=1e-10, atol=1e-14
    )
    for p, q in zip(model.parameters(), sliding.parameters(), strict=True):
        np.testing.assert_allclose(q.grad.ravel(), p.grad.ravel(), rtol=1e-10, atol=1e-14)


def test_a_graph_with_a_shared_linear():
    make = {"rng": np.random.default_rng(0), "dtype": np.float64}
    fc = nn.Linear(8, 8, **make)
    model = nn.Graph(
        {
            "conv": (nn.Conv2d(1, 8, 3, **make), "input"),
            "features": (nn.Residual(nn.ReLU()), "conv"),
            "flat": (nn.Flatten(), "pool"),
            "pool": (nn.GlobalAvgPool2d(), "features"),
            "one": (fc, "flat"),
            "two": (fc, "one"),
        }
    )
    sliding = convert_linear_to_conv(model, (1, 5, 5))
    assert sliding.one is sliding.two
    x = random(1, 1, 6, 7)
    y = sliding(x)
    assert y.shape == (1, 8, 2, 3)
    np.testing.assert_allclose(y[:, :, 1, 2], model(x[:, :, 1:, 2:]), rtol=1e-12)


def test_batch_norm_between_the_linear_layers():
    rng = np.random.default_rng(0)
    norm = nn.BatchNorm1d(5, eps=0.1, dtype=np.float64).eval()
    norm.running_mean, norm.running_var = rng.standard_normal(5), rng.random(5)
    norm.weight.assign(rng.standard_normal(5))
    norm.bias.requires_grad = False
    make = {"rng": rng, "dtype": np.float64}
    model = nn.Sequential(nn.Flatten(), nn.Linear(8, 5, **make), norm, nn.Linear(5, 3, **make))
    sliding = convert_linear_to_conv(model, (2, 2, 2))
    x = random(1, 2, 3, 4)
    np.testing.assert_allclose(sliding(x)[:, :, 1, 2], model(x[:, :, 1:, 2:]), rtol=1e-12)
    assert isinstance(sliding[2], nn.BatchNorm2d)
    assert sliding[2].running_mean is not norm.running_mean
    assert (sliding[2].training, sliding[2].bias.requires_grad) == (False, False)
    assert sliding.state_dict().keys() == model.state_dict().keys()


def test_lenet():
    model = models.lenet5(rng=np.random.default_rng(0))
    sliding = convert_linear_to_conv(model, (1, 28, 28))
    x = random(1, 1, 28, 28, dtype=np.float32)
    np.testing.assert_allclose(sliding(x)[:, :, 0, 0], model(x), rtol=1e-5, atol=1e-6)
    assert sliding(random(1, 1, 40, 48, dtype=np.float32)).shape == (1, 10, 4, 6)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([nn.Conv2d(2, 3, 3)], "the model has no Flatten of images"),
        ([nn.GlobalAvgPool2d()], "the model has no Flatten of images"),
        ([nn.ReLU(), nn.Linear(6, 3)], "linear: x must have 2 dimensions"),
        ([nn.Flatten(), nn.LayerNorm(72)], "1 is LayerNorm("),
        ([nn.Flatten(), nn.PReLU(72)], "1 is PReLU(num_parameters=72), of which no layer"),
        ([nn.Flatten(), nn.Softmax(), nn.Linear(72, 2)], "1 is Softmax(dim=-1), of which no"),
        ([nn.Flatten(), nn.BatchNorm1d(72)], "1 is BatchNorm1d("),
        ([nn.AdaptiveAvgPool2d(4), nn.Flatten()], "0 is AdaptiveAvgPool2d(output_size=4), whose"),
        (
            [nn.Flatten(), nn.Graph({"sum": (nn.Add(), "input", "input")})],
            "1.sum is Add(), of which no layer for images can be made",
        ),
    ],
)
def test_heads_that_cannot_be_converted(layers, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        convert_linear_to_conv(nn.Sequential(*layers), (2, 6, 6))


def test_a_linear_that_takes_no_image():
    message = r"convert_linear_to_conv: 1 is Linear\(6, 3\), which takes something else than"
    with pytest.raises(ValueError, match=message):
        convert_linear_to_conv(nn.Sequential(nn.ReLU(), nn.Linear(6, 3)), (6,))


def test_a_layer_that_would_have_to_become_two():
    pool = nn.GlobalAvgPool2d()
    model = nn.Sequential(
        nn.Residual(nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.ReLU()), pool),
        pool,
        nn.Flatten(),
    )
    with pytest.raises(ValueError, match=r"1 is GlobalAvgPool2d\(\), which serves elsewhere too"):
        convert_linear_to_conv(model, (2, 1, 1))


def test_a_model_of_two_inputs():
    model = nn.Graph({"sum": (nn.Add(), "a", "b")}, inputs=("a", "b"))
    with pytest.raises(ValueError, match="must take one input, it takes 2"):
        convert_linear_to_conv(model, (2, 6, 6))


@pytest.mark.slow
def test_vgg16_on_a_larger_image():
    model = models.vgg16(rng=np.random.default_rng(0))
    sliding = convert_linear_to_conv(model, (3, 224, 224))
    x = random(1, 3, 384, 384, dtype=np.float32)
    y = sliding(x)
    assert y.shape == (1, 1000, 6, 6)
    part = model.features(x)[:, :, 2:9, 5:12]
    want = model.classifier(part.reshape(1, -1))
    np.testing.assert_allclose(y[:, :, 2, 5], want, atol=1e-5 * abs(want).max())
