"""What the ONNX project's own cases leave untested of layers."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast import nn
from tests import oracle
from tests.helpers import random
from tests.io.onnx.test_load import FLOAT, network


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_local_response_over_even_sizes_too(size):
    graph = network(
        f"""(float[N,C,H,W] x) => (float[N,C,H,W] y) {{
        y = LRN<size = {size}, alpha = 0.5, beta = 0.6, bias = 1.5>(x) }}"""
    )
    x = random(2, 5, 3, 3, dtype=FLOAT)
    expected = np.empty_like(x)
    for c in range(5):
        window = x[:, max(0, c - (size - 1) // 2) : c + size // 2 + 1]
        expected[:, c] = x[:, c] / (1.5 + 0.5 / size * np.square(window).sum(axis=1)) ** 0.6
    y, backward = graph.forward(x)
    np.testing.assert_allclose(y, expected, rtol=1e-5)
    assert backward(x).shape == x.shape


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize(
    ("attributes", "left"),
    [
        ('auto_pad = "SAME_UPPER"', 1),
        ('auto_pad = "SAME_LOWER"', 2),
        ("output_shape = [12]", 2),
        ('output_shape = [12], auto_pad = "SAME_UPPER"', 1),
        ("output_shape = [14]", 1),
        ("output_shape = [13], dilations = [1]", 1),
        ("output_shape = [16]", 0),
        ("pads = [1, 2]", 1),
    ],
)
def test_what_a_transposed_convolution_cuts_off(attributes, left, constant):
    """Its whole result has (6 - 1) * 2 + 5 = 15 columns."""
    weight = random(1, 1, 5, dtype=FLOAT)
    x = random(1, 1, 6, dtype=FLOAT)
    head = "float[1,1,6] x" if constant else "float[1,1,6] x, float[1,1,5] w"
    text = (
        f"({head}) => (float[1,1,N] y) {{ y = ConvTranspose<strides = [2], {attributes}>(x, w) }}"
    )
    graph = network(text, **({"w": weight} if constant else {}))
    whole = np.zeros(16, FLOAT)
    for position, value in enumerate(x[0, 0]):
        whole[2 * position : 2 * position + 5] += value * weight[0, 0]
    y = graph(x) if constant else graph(x, weight)
    expected = whole[left : left + y.size]
    np.testing.assert_allclose(y.ravel(), expected, atol=1e-5)


def test_slopes_along_the_channels_of_nothing_else():
    graph = network(
        "(float[N,3,H,W] x) => (float[N,3,H,W] y) { y = PRelu(x, slope) }",
        slope=random(3, 1, 1, dtype=FLOAT),
    )
    assert isinstance(graph.y, nn.PReLU)
    x = random(2, 3, 3, 3, dtype=FLOAT)
    expected = np.where(x > 0, x, x * graph.y.weight.data[:, None, None])
    np.testing.assert_allclose(graph(x), expected, rtol=1e-6)
    with pytest.raises(ValueError, match="4 dimensions"):
        graph(x[0])


@pytest.mark.parametrize("shape", [(2, 3, 7), (2, 3, 4, 5), (2, 3, 2, 3, 4)])
@pytest.mark.parametrize(
    "node",
    [
        "BatchNormalization(x, scale, shift, mean, var)",
        "InstanceNormalization(x, scale, shift)",
        "GroupNormalization<num_groups = 3>(x, scale, shift)",
        "GlobalAveragePool(x)",
        "GlobalMaxPool(x)",
    ],
)
def test_sequences_and_volumes(node, shape):
    """They give what an image with the same pixels in another arrangement does."""
    graph = network(
        f"(float[N] x) => (float[N] y) {{ y = {node} }}",
        opset=21 if node.startswith("Group") else 17,
        scale=random(3, dtype=FLOAT),
        shift=random(3, dtype=FLOAT, seed=1),
        mean=random(3, dtype=FLOAT, seed=2),
        var=np.full(3, 2, FLOAT),
    ).eval()
    x = random(*shape, dtype=FLOAT)
    y, backward = graph.forward(x)
    image, image_backward = graph.forward(x.reshape(2, 3, -1, 1))
    assert y.ndim == x.ndim
    np.testing.assert_allclose(y.ravel(), image.ravel(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        backward(y).ravel(), image_backward(image).ravel(), rtol=1e-4, atol=1e-5
    )


def test_batch_norm_by_the_batch_learns():
    """As networks are that were exported for training."""
    graph = network(
        """(float[N,2,H,W] x) => (float[N,2,H,W] y) {
        y, m, v = BatchNormalization<training_mode = 1>(x, scale, shift, mean, mean) }""",
        scale=np.full(2, 2, FLOAT),
        shift=np.ones(2, FLOAT),
        mean=np.zeros(2, FLOAT),
    )
    x = random(3, 2, 4, 4, dtype=FLOAT)
    y = graph(x)
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 1, atol=1e-5)
    np.testing.assert_allclose(y.std(axis=(0, 2, 3)), 2, atol=1e-3)
    assert {name for name, _ in graph.named_parameters()} == {"y.weight", "y.bias"}


@pytest.mark.parametrize(("alpha", "transposed"), [(1.0, 0), (0.5, 1)])
@pytest.mark.parametrize("bias", [(3,), (1, 3), (1,), ()])
def test_products_that_are_fully_connected_layers(alpha, transposed, bias):
    weight, shift = random(2, 3, dtype=FLOAT), random(*bias, dtype=FLOAT, seed=1)
    graph = network(
        f"""(float[N,2] x) => (float[N,3] y) {{
        y = Gemm<alpha = {alpha}, beta = 2.0, transB = {transposed}>(x, w, b) }}""",
        w=np.ascontiguousarray(weight.T) if transposed else weight,
        b=np.asarray(shift),
    )
    assert isinstance(graph.y, nn.Linear)
    x = random(4, 2, dtype=FLOAT)
    np.testing.assert_allclose(graph(x), alpha * x @ weight + 2 * shift, rtol=1e-5, atol=1e-5)


def test_a_stack_of_rows_times_a_matrix():
    weight = random(2, 3, dtype=FLOAT)
    graph = network("(float[N] x) => (float[N] y) { y = MatMul(x, w) }", w=weight)
    for shape in ((2,), (4, 2), (5, 4, 2)):
        x = random(*shape, dtype=FLOAT)
        y, backward = graph.forward(x)
        np.testing.assert_allclose(y, x @ weight, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(backward(y), y @ weight.T, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="takes 2"):
        graph(random(4, 3, dtype=FLOAT))


def test_padding_beyond_half_a_window():
    """The kernels refuse that; ONNX does not."""
    graph = network(
        """(float[N,C,H,W] x) => (float[N,C,H,W] y) {
        y = AveragePool<kernel_shape = [2, 2], pads = [2, 1, 1, 1], count_include_pad = 1>(x) }"""
    )
    x = random(1, 1, 4, 4, dtype=FLOAT)
    weight = np.full((1, 1, 2, 2), 0.25, FLOAT)
    expected = oracle.conv2d(x, weight, None, padding=((2, 1), (1, 1)))
    np.testing.assert_allclose(graph(x), expected, atol=1e-6)
