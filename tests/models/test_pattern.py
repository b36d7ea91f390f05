"""Networks from patterns: every layer and size by hand, and where errors point."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast import models, nn


def build(pattern, shape=(3, 32, 32), *args, **kwargs):
    return models.from_pattern(pattern, shape, *args, rng=np.random.default_rng(0), **kwargs)


def shapes(model):
    """What there is to compare: each layer's name and, where it has one, its weight's shape."""
    return [
        (name, layer.weight.shape if hasattr(layer, "weight") else None)
        for name, layer in model.named_children()
    ]


def test_linear_classifier():
    model = build("INPUT -> FC")
    assert shapes(model) == [("flatten", None), ("fc1", (10, 3072))]
    assert model.head is model.fc1


def test_sizes():
    model = build("INPUT->[[CONV->RELU]*2->POOL]*2->FC->RELU->FC", channels=8, fc_features=20)
    assert shapes(model) == [
        ("conv1", (8, 3, 3, 3)),
        ("relu1", None),
        ("conv2", (8, 8, 3, 3)),
        ("relu2", None),
        ("pool1", None),
        ("conv3", (16, 8, 3, 3)),
        ("relu3", None),
        ("conv4", (16, 16, 3, 3)),
        ("relu4", None),
        ("pool2", None),
        ("flatten", None),
        ("fc1", (20, 16 * 8 * 8)),
        ("relu5", None),
        ("fc2", (10, 20)),
    ]
    assert model.conv1.padding == 1
    assert model.head is model.fc2
    x = np.zeros((2, 3, 32, 32), np.float32)
    assert model(x).shape == (2, 10)


@pytest.mark.parametrize(
    ("pattern", "convolutions", "pools", "connected"),
    [
        ("INPUT -> [[CONV -> RELU]*0 -> POOL?]*0 -> [FC -> RELU]*0 -> FC", 0, 0, 1),
        ("INPUT -> [[CONV -> RELU]*3 -> POOL?]*2 -> [FC -> RELU]*2 -> FC", 6, 2, 3),
        ("INPUT -> FC", 0, 0, 1),
        ("INPUT -> CONV -> RELU -> FC", 1, 0, 1),
        ("INPUT -> [CONV -> RELU -> POOL]*2 -> FC -> RELU -> FC", 2, 2, 2),
        ("INPUT -> [CONV -> RELU -> CONV -> RELU -> POOL]*3 -> [FC -> RELU]*2 -> FC", 6, 3, 3),
    ],
)
def test_patterns_of_the_notes(pattern, convolutions, pools, connected):
    model = build(pattern, (3, 16, 16), 4, channels=4, fc_features=8)
    for kind, count in ((nn.Conv2d, convolutions), (nn.MaxPool2d, pools), (nn.Linear, connected)):
        assert sum(isinstance(layer, kind) for layer in model) == count
    assert isinstance(model[-1], nn.Linear)
    y, backward = model.forward(np.ones((2, 3, 16, 16), np.float32))
    assert y.shape == (2, 4)
    assert backward(np.ones_like(y)).shape == (2, 3, 16, 16)


@pytest.mark.parametrize(
    ("height", "width", "kernel_size", "pools"),
    [
        (32, 32, 3, 4),  # 16, 8, 4 and 2, which is not larger than a filter
        (32, 32, 5, 3),
        (32, 32, 1, 5),  # down to a single element
        (28, 28, 3, 2),  # 7 is odd
        (28, 32, 3, 2),  # one odd side is enough
        (32, 28, 3, 2),
        (32, 8, 3, 2),
        (9, 9, 3, 0),
        (2, 2, 3, 0),
    ],
)
def test_optional_pools(height, width, kernel_size, pools):
    pattern = "INPUT->[CONV->POOL?]*6->FC"
    model = build(pattern, (1, height, width), 2, channels=1, kernel_size=kernel_size)
    assert sum(isinstance(layer, nn.MaxPool2d) for layer in model) == pools
    assert model(np.zeros((1, 1, height, width), np.float32)).shape == (1, 2)
    filters = [layer.out_channels for layer in model if isinstance(layer, nn.Conv2d)]
    assert filters == [2 ** min(i, pools) for i in range(6)]


def test_an_optional_pool_before_any_filter_needs_an_even_map():
    assert shapes(build("INPUT -> POOL? -> FC", (1, 2, 6)))[-1] == ("fc1", (10, 3))
    assert shapes(build("INPUT -> POOL? -> FC", (1, 2, 5)))[-1] == ("fc1", (10, 10))


def test_normalisation_and_dropout_before_and_behind_the_features():
    model = build(
        "INPUT->BN->CONV->BN->RELU->FC->BN->RELU->DROPOUT->FC->RELU", (3, 8, 8), dropout=0.25
    )
    assert isinstance(model.bn1, nn.BatchNorm2d)
    assert model.bn1.num_features == 3
    assert isinstance(model.bn2, nn.BatchNorm2d)
    assert isinstance(model.bn3, nn.BatchNorm1d)
    assert model.bn3.num_features == 512
    assert model.dropout1.p == 0.25
    assert [name for name, _ in model.named_children()][-1] == "relu3"
    assert model.head is model.fc2


def test_sizes_given_one_by_one():
    pattern = "INPUT -> [CONV -> CONV -> POOL]*2 -> CONV -> [FC]*2 -> FC"
    model = build(pattern, channels=(5, 7, 6), fc_features=[9, 8], kernel_size=5)
    convolutions = [layer for layer in model if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [5, 5, 7, 7, 6]
    assert {layer.kernel_size for layer in convolutions} == {(5, 5)}
    assert {layer.padding for layer in convolutions} == {2}
    assert [layer.out_features for layer in model if isinstance(layer, nn.Linear)] == [9, 8, 10]


def test_dtype_and_generator():
    model = build("INPUT -> CONV -> BN -> FC -> BN -> FC", (1, 4, 4), dtype=np.float64)
    assert {p.dtype for p in model.parameters()} == {np.dtype(np.float64)}
    again = build("INPUT -> CONV -> BN -> FC -> BN -> FC", (1, 4, 4), dtype=np.float64)
    np.testing.assert_array_equal(model.fc2.weight.data, again.fc2.weight.data)


# ---------------------------------------------------------------------------- errors

# The caret below the pattern stands where the problem is.
ERRORS = [
    ("", "^", "a pattern begins with 'INPUT', got the end of the pattern"),
    ("CONV -> FC", "^", "a pattern begins with 'INPUT', got 'CONV'"),
    ("INPUT", "     ^", "expected '->', got the end of the pattern"),
    ("INPUT FC", "      ^", "expected '->', got 'FC'"),
    ("INPUT -> ", "        ^", "expected '[' or one of CONV, .*, got the end"),
    ("INPUT -> -> FC", "         ^", "expected '[' or one of .*, got '->'"),
    ("INPUT -> CNOV -> FC", "         ^", "expected '[' or one of .*DROPOUT, got 'CNOV'"),
    ("INPUT -> conv -> FC", "         ^", "expected '[' or one of .*, got 'conv'"),
    ("INPUT -> INPUT -> FC", "         ^", "expected '[' or one of .*, got 'INPUT'"),
    ("INPUT -> CONV RELU -> FC", "              ^", "expected '->' or the end.*, got 'RELU'"),
    ("INPUT -> FC]", "           ^", "expected '->' or the end of the pattern, got ']'"),
    ("INPUT -> [CONV -> FC", "                    ^", "expected '->' or ']', got the end"),
    ("INPUT -> [[CONV]*2 -> FC", "                        ^", "expected '->' or ']', got the end"),
    ("INPUT -> [] -> FC", "          ^", "expected '[' or one of .*, got ']'"),
    ("INPUT -> [CONV -> ] -> FC", "                  ^", "expected '[' or one of .*, got ']'"),
    ("INPUT -> [CONV]*N -> FC", "                ^", "expected how many times, .*, got 'N'"),
    ("INPUT -> [CONV]*-1 -> FC", "                ^", "expected how many times, .*, got '-'"),
    ("INPUT -> [CONV]* -> FC", "                 ^", "expected how many times, .*, got '->'"),
    ("INPUT -> [CONV]*2*2 -> FC", "                 ^", "expected '->' or the end.*, got '\\*'"),
    ("INPUT -> CONV? -> FC", "             ^", "only POOL can have a '\\?', not CONV"),
    ("INPUT -> [POOL]? -> FC", "               ^", "expected '->' or the end.*, got '\\?'"),
    ("INPUT -> POOL?? -> FC", "              ^", "expected '->' or the end.*, got '\\?'"),
    ("INPUT → FC", "      ^", "expected '->', got '→'"),
    ("INPUT ->\n FC -> CONV", "                ^", "CONV behind FC, where there are features"),
    ("INPUT -> FC -> POOL? -> FC", "               ^", "POOL behind FC"),
    ("INPUT -> CONV -> RELU ", "                     ^", "expected an FC for the scores"),
    ("INPUT -> [FC]*0", "               ^", "expected an FC for the scores"),
    ("INPUT -> [POOL]*6 -> FC", "          ^", "POOL takes 2x2 windows, but the map is 1x1"),
]


@pytest.mark.parametrize(("pattern", "caret", "problem"), ERRORS)
def test_bad_patterns(pattern, caret, problem):
    with pytest.raises(ValueError, match="^from_pattern: " + problem.replace("[", r"\[")) as raised:
        build(pattern)
    _, quoted, pointer = str(raised.value).split("\n")
    assert quoted == "  " + pattern.replace("\n", " ")
    assert pointer == "  " + caret


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": (32, 32)}, r"from_pattern: input_shape must be \(C, H, W\), got \(32, 32\)"),
        ({"shape": (3, 0, 32)}, "from_pattern: input_shape must be at least 1, got 0"),
        ({"kernel_size": 4}, "from_pattern: kernel_size must be odd, got 4"),
        ({"kernel_size": 0}, "from_pattern: kernel_size must be at least 1, got 0"),
        ({"channels": (4,)}, r"channels must be one number or 2, .* stages .*; got \(4,\)"),
        ({"channels": (4, 4, 4)}, "channels must be one number or 2"),
        ({"channels": 0}, "from_pattern: channels must be at least 1, got 0"),
        ({"fc_features": [3, 3]}, "fc_features must be one number or 1, .* FC before the last"),
        ({"dropout": 1.5}, "p must be in 0"),
    ],
)
def test_bad_sizes(arguments, message):
    pattern = "INPUT -> CONV -> POOL -> CONV -> DROPOUT -> FC -> FC"
    with pytest.raises(ValueError, match=message):
        build(pattern, **arguments)
