"""The example of a generator."""

import re
import sys

import matplotlib.image
import numpy as np

from cnnfast.data import digits
from cnnfast.optim import Adam
from examples import generator

SMALL = ["--digits", "10", "--steps", "30", "--width", "8"]


def test_it_learns_and_saves_a_picture(tmp_path, capsys):
    path = tmp_path / "picture.png"
    generator.main([*SMALL, "--out", str(path)])
    *steps, saved = capsys.readouterr().out.splitlines()
    losses = [float(re.fullmatch(r"step +\d+   .* (\d\.\d{4})", line)[1]) for line in steps]
    assert len(losses) == 11
    assert losses[-1] < losses[0] / 4
    assert saved == f"saved {path}"
    picture = matplotlib.image.imread(path)
    assert picture.shape[:2] == (4 * 28, 8 * 28)
    np.testing.assert_allclose(picture[:28, :28, 0], digits().train_images[0, 0], atol=0.01)


def test_without_matplotlib(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.image", None)
    generator.main(["--digits", "2", "--steps", "1", "--width", "1", "--out", str(tmp_path / "p")])
    assert capsys.readouterr().out.splitlines()[-1] == "no picture: matplotlib is not installed"
    assert list(tmp_path.iterdir()) == []


def test_every_layer_learns():
    rng = np.random.default_rng(0)
    model = generator.generator(8, 4, rng)
    before = {name: p.data.copy() for name, p in model.named_parameters()}
    noise = rng.standard_normal((3, 8, 1, 1), np.float32)
    images = rng.uniform(-1, 1, (3, 1, 28, 28)).astype(np.float32)
    loss = generator.step(model, Adam(model.parameters()), noise, images)
    assert 0 < loss < 4
    for name, p in model.named_parameters():
        assert (p.data != before[name]).any(), name
