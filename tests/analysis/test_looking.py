"""What networks see: saliency, activations, mistakes; and what their layers take."""

from __future__ import annotations

import math
import time
from collections import Counter

import numpy as np
import pytest

from cnnfast import models, nn
from cnnfast.analysis import (
    activations,
    confusion_matrix,
    layer_times,
    saliency,
    worst_mistakes,
)
from tests.helpers import numerical_gradient, random


def small_network(seed=0):
    """Two convolutions with all that behaves otherwise in training, and statistics of its own."""
    rng = np.random.default_rng(seed)
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3, dtype=np.float64, rng=rng),
        nn.BatchNorm2d(3, dtype=np.float64),
        nn.ReLU(),
        nn.Dropout(0.5, rng=rng),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(12, 4, dtype=np.float64, rng=rng),
    )
    model[1].running_mean[...] = random(3, seed=1)
    model[1].running_var[...] = 0.5 + rng.random(3)
    return model


# ---------------------------------------------------------------------------- saliency


def test_saliency_is_the_slope_of_the_score():
    model, images = small_network(), random(3, 2, 6, 6, seed=2)
    labels = np.array([3, 0, 3])
    maps = saliency(model, images, labels)
    chosen = np.eye(4)[labels]
    slopes = numerical_gradient(model, images, chosen)
    np.testing.assert_allclose(maps, np.abs(slopes).max(axis=1), atol=1e-8)
    assert maps.max() > 0.01


def test_saliency_of_the_highest_score():
    model, images = small_network(), random(5, 2, 6, 6, seed=3)
    highest = np.array([row.tolist().index(max(row)) for row in model(images)])
    assert len(set(highest)) > 1
    np.testing.assert_array_equal(saliency(model, images), saliency(model, images, highest))


@pytest.mark.parametrize("fails", [False, True])
def test_saliency_leaves_the_model_as_it_was(fails):
    model = small_network()
    model[3].eval()
    model[0].bias.requires_grad = False
    model[6].weight.grad = np.full((4, 12), 7.0)
    modes = [module.training for module in model.modules()]
    learning = [p.requires_grad for p in model.parameters()]
    state = model.state_dict()
    if fails:
        with pytest.raises(ValueError, match="saliency: labels must have shape"):
            saliency(model, random(2, 2, 6, 6), np.array([1]))
    else:
        saliency(model, random(2, 2, 6, 6))
    assert [module.training for module in model.modules()] == modes
    assert [p.requires_grad for p in model.parameters()] == learning
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, state[name])
    assert [p.grad is None for p in model.parameters()] == [True] * 4 + [False, True]
    assert (model[6].weight.grad == 7).all()


def test_saliency_of_what_it_cannot_take():
    model = small_network()
    with pytest.raises(TypeError, match="saliency: images must be float32 or float64, got int64"):
        saliency(model, np.ones((1, 2, 6, 6), np.int64))
    with pytest.raises(ValueError, match=r"saliency: images must have 4 dimensions"):
        saliency(model, random(2, 6, 6))
    with pytest.raises(ValueError, match=r"must lie in 0\.\.3 for 4 classes"):
        saliency(model, random(1, 2, 6, 6), np.array([4]))
    with pytest.raises(ValueError, match=r"must give \(N, classes\), gave \(1, 3, 4, 4\)"):
        saliency(model[:1], random(1, 2, 6, 6))


# ---------------------------------------------------------------------------- activations


def test_activations_of_every_layer():
    model, images = models.lenet5(), random(2, 1, 28, 28, dtype=np.float32)
    x = images
    for name, layer in model.named_children():
        x = layer(x)
        np.testing.assert_array_equal(activations(model, images, name), x)


def test_activations_within_a_block():
    block = nn.Residual(nn.Sequential(nn.Linear(3, 3), nn.ReLU()))
    model = nn.Sequential({"fc": nn.Linear(4, 3), "block": block})
    x = random(2, 4, dtype=np.float32)
    np.testing.assert_array_equal(activations(model, x, "block.body.0"), block.body[0](model.fc(x)))
    np.testing.assert_array_equal(activations(model, x, "block.add"), model(x))


def test_activations_are_those_of_inference():
    model, images = small_network(), random(1, 2, 6, 6)
    np.testing.assert_array_equal(activations(model, images, "6"), model(images))


def test_activations_of_a_layer_that_is_not_there():
    with pytest.raises(ValueError, match=r"layer must be one of conv1, .*, fc3, got 'conv9'"):
        activations(models.lenet5(), np.zeros((1, 1, 28, 28), np.float32), "conv9")


def test_activations_need_one_input():
    graph = nn.Graph({"sum": (nn.Add(), "a", "b")}, inputs=["a", "b"])
    with pytest.raises(ValueError, match=r"must have one input, has \('a', 'b'\)"):
        activations(graph, np.zeros((1, 1)), "sum")


# ---------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.int32])
def test_confusion_matrix(dtype):
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 20, (2, 3000)).astype(dtype)
    counts = confusion_matrix(labels, predictions, 21)
    pairs = Counter(zip(labels.tolist(), predictions.tolist(), strict=True))
    assert counts.shape == (21, 21)
    assert counts.dtype == np.int64
    assert {(i, j): n for (i, j), n in np.ndenumerate(counts) if n} == pairs


def test_confusion_matrix_of_nothing():
    nothing = np.zeros(0, np.int64)
    assert confusion_matrix(nothing, nothing, 2).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("labels", "predictions", "error", "words"),
    [
        ([0, 2], [0, 1], ValueError, r"labels\[1\] is 2, but labels must lie in 0\.\.1"),
        ([0, 1], [-1, 1], ValueError, r"predictions: labels\[0\] is -1"),
        ([0, 1], [0], ValueError, r"predictions must have shape \(2,\)"),
        ([0.0], [0], TypeError, "labels must be integers, got float64"),
    ],
)
def test_confusion_matrix_of_what_it_cannot_take(labels, predictions, error, words):
    with pytest.raises(error, match=f"confusion_matrix: {words}"):
        confusion_matrix(np.array(labels), np.array(predictions), 2)


def test_worst_mistakes():
    scores = random(50, 4)
    labels = np.random.default_rng(1).integers(0, 4, 50)
    expected = []
    for index, (row, label) in enumerate(zip(scores.tolist(), labels.tolist(), strict=True)):
        guess = row.index(max(row))
        if guess != label:
            loss = math.log(sum(map(math.exp, row))) - row[label]
            expected.append((loss, index, label, guess))
    expected.sort(reverse=True)
    found = worst_mistakes(scores, labels)
    assert 10 < len(expected) == len(found.indices) < 50
    assert found.indices.tolist() == [index for _, index, _, _ in expected]
    assert found.labels.tolist() == [label for _, _, label, _ in expected]
    assert found.predictions.tolist() == [guess for _, _, _, guess in expected]
    np.testing.assert_allclose(found.losses, [loss for loss, *_ in expected])
    few = worst_mistakes(scores, labels, 3)
    assert few.indices.tolist() == found.indices[:3].tolist()


def test_worst_mistakes_of_none():
    assert worst_mistakes(np.eye(3), np.arange(3)).indices.tolist() == []
    nothing = worst_mistakes(np.zeros((0, 3)), np.zeros(0, np.int64))
    assert [part.size for part in nothing] == [0] * 4


def test_worst_mistakes_of_what_it_cannot_take():
    with pytest.raises(ValueError, match=r"worst_mistakes: labels must have shape \(3,\)"):
        worst_mistakes(np.eye(3), np.arange(2))
    with pytest.raises(ValueError, match="worst_mistakes: count must be at least 0, got -1"):
        worst_mistakes(np.eye(3), np.arange(3), -1)


# ---------------------------------------------------------------------------- times


class Sleeper(nn.Module):
    """Takes its time."""

    def __init__(self, forward, backward):
        self.seconds = forward, backward

    def __call__(self, x):
        return x

    def forward(self, x):
        def run(grad):
            time.sleep(self.seconds[1])
            return grad

        time.sleep(self.seconds[0])
        return x, nn.Backward.without_parameters(run)


def test_times_are_those_of_each_layer():
    model = nn.Sequential(
        {"a": Sleeper(0.02, 0.06), "b": nn.Sequential(nn.ReLU(), Sleeper(0.06, 0.02))}
    )
    a, relu, b = layer_times(model, (3,), repeats=2)
    assert (a.name, relu.name, b.name) == ("a", "b.0", "b.1")
    assert {time.images for time in (a, relu, b)} == {8}
    for slept, backwards in ((a, 0.06), (b, 0.02)):
        assert slept.backward >= backwards
        assert slept.forward >= 0.08 - backwards
    assert 0 < relu.forward < 0.02


def test_times_leave_the_model_as_it_was():
    model = small_network()
    state, drops = model.state_dict(), model[3].forward(np.ones((9, 9)))[0]
    layer_times(model, (2, 6, 6))
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, state[name])
    assert all(p.grad is None for p in model.parameters())
    other = small_network()
    np.testing.assert_array_equal(other[3].forward(np.ones((9, 9)))[0], drops)
    np.testing.assert_array_equal(
        model[3].forward(np.ones((9, 9)))[0], other[3].forward(np.ones((9, 9)))[0]
    )


def test_times_of_layers_with_several_values():
    graph = nn.Graph(
        {
            "pool": (nn.MaxPool2d(2, return_indices=True), "input"),
            "unpool": (nn.MaxUnpool2d(2), "pool:0", "pool:1"),
        }
    )
    assert [t.name for t in layer_times(graph, (2, 4, 4))] == ["pool", "unpool"]


def test_times_of_what_cannot_be():
    with pytest.raises(ValueError, match="layer_times: repeats must be at least 1, got 0"):
        layer_times(models.lenet5(), (1, 28, 28), repeats=0)
    with pytest.raises(ValueError, match=r"layer_times: the model takes 1 inputs \(input\), got 2"):
        layer_times(models.lenet5(), (1, 28, 28), (1,))
