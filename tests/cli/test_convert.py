"""``cnnfast convert``: what it writes, and how it fails."""

import sys

import numpy as np
import pytest

from cnnfast import export_onnx, models
from cnnfast.cli import main
from cnnfast.io import load_weights
from tests.cli.test_cli import error_line
from tests.io import make_checkpoints, make_hostile


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_convert(tmp_path, capsys, ending):
    target = tmp_path / f"weights.{ending}"
    assert main(["convert", str(make_checkpoints.FOLDER / "network.pth"), str(target)]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (f"7 arrays saved in {target}\n", "")
    got = load_weights(target)
    assert got.keys() == make_checkpoints.network().keys()
    for name, array in make_checkpoints.network().items():
        np.testing.assert_array_equal(got[name], array)


def test_and_back(tmp_path):
    paths = [str(tmp_path / f"{name}") for name in ("a.safetensors", "b.npz", "c.safetensors")]
    assert (
        main(["convert", str(make_checkpoints.FOLDER / "types.pth"), paths[0]]) == 2
    )  # complex128
    assert main(["convert", str(make_checkpoints.FOLDER / "network.pth"), paths[0]]) == 0
    assert main(["convert", paths[0], paths[1]]) == 0
    assert main(["convert", paths[1], paths[2]]) == 0
    contents = [tmp_path.joinpath(name).read_bytes() for name in ("a.safetensors", "c.safetensors")]
    assert contents[0] == contents[1]


def test_the_weights_of_an_onnx_file(tmp_path, capsys):
    model = models.lenet5()
    source, target = tmp_path / "lenet5.onnx", tmp_path / "lenet5.safetensors"
    export_onnx(model, source, (1, 1, 28, 28))
    assert main(["convert", str(source), str(target)]) == 0
    assert "10 arrays saved" in capsys.readouterr().out
    got = load_weights(target)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(got[name], array)
    source.write_bytes(b"no model")
    assert main(["convert", str(source), str(target)]) == 2
    assert str(source) in error_line(capsys)


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        (make_hostile.FOLDER / "calls_system.pth", "a.npz", "asks for posix.system"),
        ("missing.pth", "a.npz", "missing.pth: No such file"),
        (make_checkpoints.FOLDER / "network.pth", "a.pth", "must end in .npz or .safetensors"),
        (make_checkpoints.FOLDER / "network.pth", "no/folder/a.npz", "No such file"),
        ("a.txt", "a.npz", "must end in"),
    ],
)
def test_bad_input(tmp_path, monkeypatch, capsys, source, target, words):
    monkeypatch.chdir(tmp_path)
    assert main(["convert", str(source), target]) == 2
    assert words in error_line(capsys)
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    source, target = make_checkpoints.FOLDER / "network.pth", tmp_path / "a.safetensors"
    assert main(["convert", str(source), str(target)]) == 2
    assert '"cnnfast[safetensors]"' in error_line(capsys)
