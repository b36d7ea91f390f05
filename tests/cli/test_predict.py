"""``cnnfast predict``: networks of the zoo and from ONNX files, on small images."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from cnnfast import data, export_onnx, models, nn, save_weights
from cnnfast.cli import main
from cnnfast.functional import softmax


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def image():
    """Save a picture in the current folder, and give its pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    Image.fromarray(pixels).save("image.png")
    return pixels


@pytest.fixture
def small():
    """Save the weights of a small network, for 4 classes."""
    model = models.cifar_resnet20(num_classes=4, rng=np.random.default_rng(1))
    save_weights(model.state_dict(), "small.npz")
    return model


def predict(*arguments):
    return main(["predict", *map(str, arguments)])


def error_line(capsys):
    captured = capsys.readouterr().err
    assert captured.startswith("cnnfast: error: ")
    assert captured.endswith("\n")
    assert captured.count("\n") == 1
    return captured


def table(scores, labels):
    """What the command should print of one image."""
    chances = softmax(scores)
    width = max(map(len, labels))
    order = sorted(range(len(labels)), key=lambda i: -chances[0, i])
    return "".join(f"  {labels[i]:{width}}  {f'{100 * chances[0, i]:.2f} %':>8}\n" for i in order)


# ---------------------------------------------------------------------------- networks


def test_a_network_of_the_zoo(image, small, capsys):
    assert predict("cifar_resnet20", "image.png", "--weights", "small.npz") == 0
    captured = capsys.readouterr()
    scores = small(data.imagenet_preprocess(image, 32)[np.newaxis])
    assert captured.out == "image.png\n" + table(scores, ["0", "1", "2", "3"])
    assert captured.err == ""


def test_several_images_size_and_top(image, small, capsys):
    Image.fromarray(image[::-1]).save("other.png")
    assert (
        predict("cifar_resnet20", "image.png", "other.png", "--weights", "small.npz")
        == predict("cifar_resnet20", "image.png", "--weights", "small.npz", "--size", 24)
        == predict("cifar_resnet20", "image.png", "--weights", "small.npz", "--top", 2)
        == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert [i for i, line in enumerate(lines) if not line.startswith(" ")] == [0, 5, 10, 15]
    assert lines[5] == "other.png"
    assert len(lines) == 18
    scores = small(data.imagenet_preprocess(image, 24)[np.newaxis])
    assert "\n".join(lines[11:15]) + "\n" == table(scores, ["0", "1", "2", "3"])


def test_grey_digits(capsys):
    model = models.lenet5(rng=np.random.default_rng(1))
    save_weights(model.state_dict(), "lenet5.npz")
    digit = data.digits().test_images[:1]
    Image.fromarray((digit[0, 0] * 255).round().astype(np.uint8)).save("digit.png")
    assert predict("lenet5", "digit.png", "--weights", "lenet5.npz", "--top", 10) == 0
    assert capsys.readouterr().out == "digit.png\n" + table(model(digit), list("0123456789"))


@pytest.mark.parametrize("ends_in_softmax", [False, True])
def test_an_onnx_file(image, ends_in_softmax, capsys):
    layers = [nn.Conv2d(3, 5, 3, 2), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Flatten()]
    model = nn.Sequential(*layers, *[nn.Softmax()] * ends_in_softmax)
    export_onnx(model, "model.onnx", (None, 3, 16, 16))
    assert predict("model.onnx", "image.png") == 0
    scores = nn.Sequential(*layers)(data.imagenet_preprocess(image, 16)[np.newaxis])
    assert capsys.readouterr().out == "image.png\n" + table(scores, list("01234"))


def test_auxiliary_classifiers_and_scaling_of_googlenet(image, capsys):
    rng = np.random.default_rng(0)
    model = models.googlenet(num_classes=3, aux_logits=True, rng=rng)
    save_weights(model.state_dict(), "googlenet.npz")
    arguments = ("image.png", "--weights", "googlenet.npz", "--size", 64)
    assert predict("googlenet", *arguments) == 0
    halves = (0.5, 0.5, 0.5)
    scores = model(data.imagenet_preprocess(image, 64, halves, halves)[np.newaxis])
    assert capsys.readouterr().out == "image.png\n" + table(scores, list("012"))


# ---------------------------------------------------------------------------- labels


LABELS = ["a cat", "dog", "é", "no"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.txt", "\n".join(LABELS)),
        ("labels.txt", "\n".join(LABELS) + "\n"),
        ("labels.json", json.dumps(LABELS)),
        ("labels.json", json.dumps({str(i): label for i, label in enumerate(LABELS)})),
        ("labels.json", json.dumps({str(i): ["n1", label] for i, label in enumerate(LABELS)})),
    ],
)
def test_labels(name, content, image, small, tmp_path, capsys):
    (tmp_path / name).write_text(content, encoding="utf-8")
    arguments = ("image.png", "--weights", "small.npz", "--labels", name)
    assert predict("cifar_resnet20", *arguments) == 0
    scores = small(data.imagenet_preprocess(image, 32)[np.newaxis])
    assert capsys.readouterr().out == "image.png\n" + table(scores, LABELS)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("labels.txt", b"one\ntwo\n", "there are 2 labels, but the network knows 4 classes"),
        ("labels.txt", b"\xff\xfe", "codec can't decode"),
        ("labels.json", b"[", "labels.json: not labels in JSON"),
        ("labels.json", b"[1, 2, 3, 4]", "labels.json: not labels in JSON"),
        ("labels.json", b'[["a", 1]]', "labels.json: labels must be strings"),
        ("labels.json", b'{"1": "a"}', "labels.json: not labels in JSON"),
        ("labels.json", b"3", "labels.json: not labels in JSON"),
        ("labels.json", b"[" * 100_000, "labels.json: not labels in JSON"),
    ],
)
def test_bad_labels(name, content, words, image, small, tmp_path, capsys):
    (tmp_path / name).write_bytes(content)
    arguments = ("image.png", "--weights", "small.npz", "--labels", name)
    assert predict("cifar_resnet20", *arguments) == 2
    assert words in error_line(capsys)


# ---------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["resnet", "image.png"], "resnet is neither an .onnx file nor one of alexnet, "),
        (["from_pattern", "image.png"], "from_pattern is neither"),
        (["cifar_resnet20", "image.png"], "give it a file with --weights"),
        (["cifar_resnet20", "image.png", "--weights", "no.npz"], "no.npz: No such file"),
        (["cifar_resnet20", "no.png", "--weights", "small.npz"], "no.png: No such file"),
        (["cifar_resnet20", "bad.png", "--weights", "small.npz"], "bad.png: cannot identify"),
        (["cifar_resnet20", "image.png", "--weights", "bad.npz"], "bad.npz: not a zip archive"),
        (["no.onnx", "image.png"], "no.onnx: No such file"),
        (["bad.onnx", "image.png"], "bad.onnx: not an ONNX file"),
        (["square.onnx", "image.png", "--weights", "small.npz"], "leave out --weights"),
        (["wide.onnx", "image.png"], "takes images 16 x 8, must be square"),
        (["flat.onnx", "image.png"], "takes inputs of shapes [[0, 6]], must take images"),
    ],
)
@pytest.mark.usefixtures("image", "small")
def test_bad_input(arguments, words, tmp_path, capsys):
    for name in ("bad.png", "bad.npz", "bad.onnx"):
        (tmp_path / name).write_bytes(b"what is this?")
    pool = nn.Sequential(nn.GlobalAvgPool2d(), nn.Flatten())
    export_onnx(pool, "square.onnx", (None, 3, 16, 16))
    export_onnx(pool, "wide.onnx", (None, 3, 16, 8))
    export_onnx(nn.ReLU(), "flat.onnx", (None, 6))
    assert predict(*arguments) == 2
    assert words in error_line(capsys)


@pytest.mark.usefixtures("image", "small")
def test_weights_of_another_network(capsys):
    assert predict("cifar_resnet32", "image.png", "--weights", "small.npz") == 2
    message = error_line(capsys)
    assert "the state does not fit" in message
    assert message.endswith("more\n")
    assert message.count("missing: ") == 3


@pytest.mark.parametrize(
    ("package", "arguments"),
    [
        ("PIL", ["cifar_resnet20", "image.png", "--weights", "small.npz"]),
        ("onnx", ["model.onnx", "image.png"]),
    ],
)
@pytest.mark.usefixtures("image", "small")
def test_without_an_extra(package, arguments, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, package, None)
    assert predict(*arguments) == 2
    assert "python -m pip install 'cnnfast[" in error_line(capsys)


@pytest.mark.usefixtures("image", "small")
def test_a_bar_where_somebody_watches(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    arguments = ["image.png", "image.png", "--weights", "small.npz", "--top", 1]
    assert predict("cifar_resnet20", *arguments) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 4
    assert "predicting" in captured.err
