"""Learning beside PyTorch: the same batches and rates for both, and what the table says."""

import numpy as np
import pytest

from benchmarks.networks import learning
from benchmarks.networks.learning import Pupil, Recipe, Run

RECIPE = Recipe("lenet5", 20, 0, 0, 2, 8, "SGD", 0.5)


def test_both_see_the_same_batches_at_rates_that_fall_to_0(monkeypatch):
    seen = {"ours": [], "theirs": []}

    def pupil(name, accuracy):
        def learn(batches, rates):
            for (images, labels), rate in zip(batches, rates, strict=True):
                assert (images[:, 0, 0, 0] == labels).all()
                seen[name].append((labels.tolist(), rate))

        return Pupil(learn, lambda: accuracy)

    monkeypatch.setattr(learning, "_cnnfast", lambda *_: pupil("ours", 0.75))
    monkeypatch.setattr(learning, "_torch", lambda *_: pupil("theirs", 0.5))
    labels = np.arange(20)
    images = np.broadcast_to(labels[:, None, None, None], (20, 1, 28, 28)).astype(np.float32)
    run = learning.learn(RECIPE, 3, (images, labels), (images, labels), 1)
    assert run.accuracy == {"cnnfast": 0.75, "PyTorch": 0.5}
    assert seen["ours"] == seen["theirs"]
    batches, rates = zip(*seen["ours"], strict=True)
    assert rates == pytest.approx([0.5, 5 / 12, 1 / 3, 0.25, 1 / 6, 1 / 12])
    epochs = [np.concatenate(part).tolist() for part in (batches[:3], batches[3:])]
    assert all(sorted(epoch) == labels.tolist() for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_a_network_learns(monkeypatch):
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=64)
    images = np.zeros((64, 1, 28, 28), np.float32)
    images[:, :, :14] = labels[:, None, None, None]
    monkeypatch.setattr(learning, "_torch", lambda *_: Pupil(lambda *_: None, lambda: 0.0))
    recipe = RECIPE._replace(epochs=6, lr=0.02)
    run = learning.learn(recipe, 0, (images, labels), (images, labels), 1)
    assert run.accuracy["cnnfast"] == 1
    assert run.seconds["cnnfast"] > 0


def test_shifted_images_are_the_same_for_both(monkeypatch):
    seen = {"ours": [], "theirs": []}

    def pupil(name):
        return Pupil(lambda batches, _: seen[name].extend(x for x, _ in batches), lambda: 0.0)

    monkeypatch.setattr(learning, "_cnnfast", lambda *_: pupil("ours"))
    monkeypatch.setattr(learning, "_torch", lambda *_: pupil("theirs"))
    images, labels = np.ones((20, 1, 28, 28), np.float32), np.arange(20)
    learning.learn(RECIPE._replace(shift=1), 0, (images, labels), (images, labels), 1)
    ours, theirs = map(np.concatenate, (seen["ours"], seen["theirs"]))
    np.testing.assert_array_equal(ours, theirs)
    assert len({image.tobytes() for image in ours}) == 9  # places


def test_table():
    runs = [
        Run(RECIPE, seed, {"cnnfast": 0.99 + seed / 1000, "PyTorch": theirs}, seconds)
        for seed, (theirs, seconds) in enumerate(
            [(0.99, {"cnnfast": 60.0, "PyTorch": 180}), (0.99, {"cnnfast": 120, "PyTorch": 240})]
        )
    ]
    assert (
        learning.table(runs)[2] == "| lenet5 | 20, 2 | SGD, 0.5 | 2 | 99.05 % (99.00 to 99.10) "
        "| 99.00 % (99.00 to 99.00) | 0.05 % | 1.50 | 3.50 |"
    )
    far = [runs[0]._replace(accuracy={"cnnfast": 0.98, "PyTorch": 0.99})]
    assert "| **1.00 %** |" in learning.table(far)[2]
