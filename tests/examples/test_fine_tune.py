"""The example of fine-tuning."""

import re

import numpy as np
import pytest

import cnnfast
from cnnfast import models
from cnnfast.data import Dataset, digits
from examples import fine_tune


def accuracies(text):
    return [float(share) for share in re.findall(r"([\d.]+)%", text)]


def test_it_learns_new_classes_with_what_it_knows(capsys):
    fine_tune.main(["--epochs", "3", "--images", "100"])
    before, head, all_layers, from_nothing = accuracies(capsys.readouterr().out)
    assert before > 90
    assert head > 40
    assert all_layers > max(head, from_nothing)


def test_weights_from_a_file_and_larger_images_of_three_colours(tmp_path, monkeypatch, capsys):
    images, labels, *_ = digits()
    monkeypatch.setattr(fine_tune, "digits", lambda: Dataset(*2 * (images[:60], labels[:60])))
    path = tmp_path / "weights.npz"
    model = models.cifar_resnet20(7, rng=np.random.default_rng(0))
    cnnfast.save_weights(model.state_dict(), path)
    size = ["--images", "16", "--epochs", "1", "--zoom", "2"]
    fine_tune.main(["--model", "cifar_resnet20", "--weights", str(path), *size])
    out = capsys.readouterr().out
    assert out.startswith("digits 5 to 9, 16 images: head ")
    assert len(accuracies(out)) == 3


def test_seeds_repeat_all_of_it(capsys):
    fine_tune.main(["--epochs", "1", "--images", "20", "--seeds", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert [line[:13] for line in lines] == ["digits 0 to 4", "digits 5 to 9"] * 2
    assert lines[0] != lines[2]


def test_only_the_head_learns_at_first():
    few = fine_tune.classes(5, 9, digits())
    few = few._replace(train_images=few.train_images[:32], train_labels=few.train_labels[:32])
    model = models.lenet5(5, rng=np.random.default_rng(0))
    model.requires_grad_(False)
    model.head.requires_grad_()
    before = model.state_dict()
    fine_tune.train(model, few, epochs=1, lr=0.01, seed=0)
    changed = {name for name, array in model.state_dict().items() if (array != before[name]).any()}
    assert changed == {"fc3.weight", "fc3.bias"}


@pytest.mark.parametrize(("first", "last"), [(0, 4), (5, 9)])
def test_classes(first, last):
    part = fine_tune.classes(first, last, digits())
    assert len(part.train_images) == len(part.train_labels) == 2500
    assert len(part.test_images) == len(part.test_labels) == 500
    assert set(part.train_labels) == set(part.test_labels) == set(range(5))
