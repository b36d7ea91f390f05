"""``cnnfast summary``: the table, JSON, and what it says to bad input."""

import json

import pytest

import cnnfast
from cnnfast import models
from cnnfast.analysis import summary
from cnnfast.cli import main
from tests.cli.test_cli import error_line


def test_table(capsys):
    assert main(["summary", "lenet5", "--input", "1,28,28"]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{summary(models.lenet5(), (1, 28, 28))}\n"
    assert captured.err == ""


def test_json(capsys):
    assert main(["summary", "lenet5", "--input", "1,28,28", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["totals"]["parameters"] == 61_706
    assert data["rows"][-1]["output_shape"] == [10]


def test_advice(capsys):
    assert main(["summary", "lenet5", "--input", "1,28,28", "--advise"]) == 0
    table, layers, findings, batches = capsys.readouterr().out.split("\n\n", 3)
    assert f"{table}\n\n{layers}" == str(summary(models.lenet5(), (1, 28, 28)))
    assert findings == "conv2  shrinks  14x14 becomes 10x10  padding=2 keeps the size of the map"
    assert batches.splitlines()[2].startswith("training batch   up to ")


def test_advice_as_json(capsys):
    assert main(["summary", "lenet5", "--input", "1,28,28", "--advise", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["totals"]["parameters"] == 61_706
    assert data["advice"]["findings"][0]["rule"] == "shrinks"


def test_a_pattern(capsys):
    assert main(["summary", "INPUT -> [CONV -> RELU -> POOL]*2 -> FC", "--input", "1,8,8"]) == 0
    model = models.from_pattern("INPUT -> [CONV -> RELU -> POOL]*2 -> FC", (1, 8, 8))
    assert capsys.readouterr().out == f"{summary(model, (1, 8, 8))}\n"


def test_a_pattern_with_a_mistake(capsys):
    assert main(["summary", "INPUT -> CONF", "--input", "1,8,8"]) == 2
    message, _, place = capsys.readouterr().err.splitlines()
    assert message.startswith("cnnfast: error: from_pattern: ")
    assert place.strip() == "^"


def test_an_onnx_file(monkeypatch, capsys):
    files = {"some/net.onnx": models.lenet5()}
    monkeypatch.setattr(cnnfast, "load_onnx", files.__getitem__, raising=False)
    assert main(["summary", "some/net.onnx", "--input", "1,28,28"]) == 0
    assert "61,706" in capsys.readouterr().out


@pytest.mark.parametrize("error", [ImportError, NotImplementedError, ValueError])
def test_an_onnx_file_that_cannot_be_loaded(monkeypatch, capsys, error):
    def load(path):
        raise error(f"load_onnx: {path}: no")

    monkeypatch.setattr(cnnfast, "load_onnx", load, raising=False)
    assert main(["summary", "net.onnx", "--input", "1,28,28"]) == 2
    assert error_line(capsys) == "cnnfast: error: load_onnx: net.onnx: no\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lenet", "--input", "1,28,28"], "error: lenet is neither an .onnx file nor one of "),
        (["__all__", "--input", "1,28,28"], "error: __all__ is neither"),
        (["from_pattern", "--input", "1,28,28"], "error: from_pattern is neither"),
        (["lenet5", "--input", "3,28,28"], "error: lenet5 takes no 3,28,28: conv2d: x has 3 chan"),
        (["lenet5", "--input", "28"], "error: lenet5 takes no 28: conv2d: x must have 4"),
        (["lenet5", "--input", "1,8,8"], "error: lenet5 takes no 1,8,8: "),
    ],
)
def test_networks_and_images_that_do_not_fit(arguments, words, capsys):
    assert main(["summary", *arguments]) == 2
    assert words in error_line(capsys)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lenet5"], "the following arguments are required: --input"),
        (["lenet5", "--input", "1x28"], "--input: must be like 3,224,224, got 1x28"),
        (["lenet5", "--input", "1,0,28"], "--input: must be at least 1, got 0"),
    ],
)
def test_arguments_that_make_no_sense(arguments, words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["summary", *arguments])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
