"""What measures whole networks, on the smallest of them."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import page
from benchmarks import report as common
from benchmarks.contests import Score
from benchmarks.networks import cold_start, competitors, contests, linearity, memory, report, run
from benchmarks.networks.linearity import Line
from benchmarks.networks.table import networks
from cnnfast import models
from cnnfast.cli.race import UnequalError

CHECKOUT = Path(__file__).parents[2]
LENET = networks()[0]
CNNFAST = [competitors.Cnnfast(1)]


# ---------------------------------------------------------------------------- the table


def test_the_table_is_that_of_the_aims():
    table = networks()
    assert [network.name for network in table] == list(report.AIMS)
    assert set(report.MEAN_OF) < set(report.AIMS)
    assert all(hasattr(models, network.model) for network in table)
    assert 1 < len(networks(quick=True)) < len(table)
    for name in (cold_start.NETWORK, linearity.NETWORK):
        assert name in [network.name for network in networks(quick=True)]


@pytest.mark.parametrize("name", ["LeNet-5", "SqueezeNet 1.1", "MobileNetV2"])
def test_networks_are_the_same_each_time_and_random_in_everything(name):
    (network,) = [network for network in networks() if network.name == name]
    model, again = network.make(), network.make()
    for key, array in model.state_dict().items():
        np.testing.assert_array_equal(array, again.state_dict()[key])
        assert array.size == 1 or np.std(array) > 0, key
    assert all(layer.p == 0 for layer in model.modules() if hasattr(layer, "rng"))


def test_each_network_has_three_contests():
    found = [*contests.contests(networks(), Path())]
    assert len({str(contest) for contest in found}) == len(found) == 3 * len(networks())
    work = {(contest.group, contest.name): contest.work for contest in found}
    assert work["inference, one image", "ResNet-50"] == 1
    assert work["inference, batch", "ResNet-50"] == work["training step", "ResNet-50"] == 8


# ---------------------------------------------------------------------------- competitors


def test_inference_gives_the_scores_of_the_model(tmp_path):
    model, x = LENET.make(), LENET.images(3)
    call = CNNFAST[0].inference(LENET, model, x, tmp_path)
    np.testing.assert_allclose(call(), model(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("group", "count"), [(contests.ONE_IMAGE, 1), (contests.BATCH, 128)])
def test_a_contest_is_about_as_many_images(monkeypatch, tmp_path, group, count):
    monkeypatch.setattr(contests, "PEERS", ())
    (contest,) = [c for c in contests.contests([LENET], tmp_path) if c.group == group]
    assert contest.enter()["cnnfast"]().shape == (count, 10)


def test_a_step_learns_and_keeps_its_gradients():
    model, x, labels = LENET.make(), LENET.images(128), LENET.labels()
    learner = CNNFAST[0].learner(LENET, LENET.make(), x, labels)
    before = [parameter.data.copy() for parameter in model.parameters()]
    losses = [learner.step()]
    scores = model(x)
    scores -= scores.max(axis=1, keepdims=True)
    exact = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(128), labels]
    assert losses[0] == pytest.approx(exact.mean(), rel=1e-4)
    gradients = learner.gradients()
    assert [g.shape for g in gradients] == [w.shape for w in before]
    assert all(np.abs(g).max() > 0 for g in gradients)
    losses += [learner.step() for _ in range(3)]
    assert losses == sorted(set(losses), reverse=True)


def test_a_learner_without_a_model_makes_its_own():
    learner = CNNFAST[0].learner(LENET, None, LENET.images(128), LENET.labels())
    assert np.isfinite(learner.step())


def test_gradients_are_compared_all_together():
    expected = [np.array([300.0]), np.array([0.0, 400.0])]
    contests.check_gradients("peer", [np.array([340.0]), np.array([0.0, 380.0])], expected)
    for wrong in ([np.array([360.0]), expected[1]], [expected[0], np.array([0, np.nan])]):
        with pytest.raises(UnequalError, match="the gradients of peer differ from those of"):
            contests.check_gradients("peer", wrong, expected)


def test_who_is_missing_is_named():
    class Missing:
        name = "peer"

        def __init__(self, threads):
            raise ImportError("no module")

    found, missing = competitors.installed([competitors.Cnnfast, Missing], 1)
    assert [competitor.name for competitor in found] == ["cnnfast"]
    assert missing == ["peer does not take part: no module"]


def test_a_network_is_exported_once(tmp_path):
    pytest.importorskip("onnx")
    model = LENET.make()
    path = Path(competitors.exported(LENET, model, tmp_path))
    written = path.stat().st_mtime_ns
    assert competitors.exported(LENET, model, tmp_path) == str(path)
    assert path.stat().st_mtime_ns == written


# ---------------------------------------------------------------------------- memory and lines


def test_the_peak_is_that_of_the_process():
    code = "import numpy as np; from benchmarks.networks.memory import peak; before = peak(); {}"
    code += "; print(peak() - before)"
    held = "x = np.ones(50_000_000, np.uint8); del x"
    grown = [
        int(subprocess.check_output([sys.executable, "-c", code.format(some)], cwd=CHECKOUT))
        for some in ("pass", held)
    ]
    assert grown[0] < 10e6 < 49e6 < grown[1] < 70e6


def test_a_line_and_the_furthest_from_it():
    straight = Line("images", {1: 3.0, 2: 5.0, 4: 9.0})
    assert straight.fit == pytest.approx((1.0, 2.0))
    assert straight.deviation == pytest.approx(0.0, abs=1e-9)
    bent = Line("images", {0: 1.0, 1: 2.5, 2: 1.0})  # the line is flat, at 1.5
    assert bent.fit == pytest.approx((1.5, 0.0))
    assert bent.deviation == pytest.approx(0.5)


# ---------------------------------------------------------------------------- the report


def results(ratio=2.0, **without):
    seconds = {"cnnfast": 0.01, "torch NCHW": 0.05, "ncnn": 0.02}
    scores = [
        Score(group, name, 4, seconds, [ratio] * 3)
        for group in report.GROUPS
        for name in (*report.MEAN_OF, "MobileNetV2")
    ]
    everything = report.Results(
        scores,
        {"cnnfast": 0.4, "ONNX Runtime": 0.5, "torch NCHW": 3.0},
        {"VGG16": {"cnnfast": 900_000_000, "torch NCHW": 1_000_000_000}},
        [Line("images", {1: 0.003, 2: 0.005, 4: 0.009})],
    )
    return everything._replace(**without)


def test_aims_are_held_against_what_was_reached():
    lines = report.aims_table(results())
    assert "| VGG16 | 2.00x (1.3x) | 2.00x (1.7x) | **2.00x** (2.3x) |" in lines
    assert "| MobileNetV2 | 2.00x (1.0x) | 2.00x (1.0x) | 2.00x (1.5x) |" in lines
    assert lines[-1].startswith("| geometric mean of the first 6 | 2.00x (1.15x) |")
    some = results(scores=[s for s in results().scores if s.name != "AlexNet"])
    assert not any("AlexNet" in line or "mean" in line for line in report.aims_table(some))


def test_whatever_is_below_its_aim_is_named():
    assert report.shortfalls(results()) == [
        "- training step, VGG16: 2.00x of ncnn, aim 2.3x",
        "- cold start: 0.80 of the time of ONNX Runtime, aim 0.7",
        "- peak memory, VGG16: 0.90 of PyTorch's, aim 0.8",
    ]
    below = report.shortfalls(results(1.1))
    assert "- inference, one image, geometric mean: 1.10x, aim 1.15x" in below
    assert not report.shortfalls(report.Results([], {}, {}, []))


def test_the_section_and_the_files(tmp_path):
    facts = common.facts(1, CNNFAST)
    figures, picture = report.save(tmp_path / "new", "networks", facts, results())
    assert picture.read_bytes().startswith(b"\x89PNG")
    data = json.loads(figures.read_text())
    assert data["scores"][0]["ratio"] == 2.0
    assert data["peak memory"]["VGG16"]["cnnfast"] == 900_000_000
    assert data["linearity"][0]["fit"] == pytest.approx([0.001, 0.002])
    lines = report.section("the command", facts, results(), ["a.json", "a.png"])
    path = tmp_path / "page.md"
    page.write_section("networks", lines, path)
    text = path.read_text()
    assert "| training step, VGG16 | 4 | 10 | 50 | 20 | 2.0x |" in text
    assert "| ONNX Runtime | 0.50 | 0.80 | 0.7 |" in text
    assert "| VGG16 | 900 | 1000 | 0.90 |" in text
    assert "| images | 1: 3, 2: 5, 4: 9 | 1 ms + 2e+03 us each | 0% |" in text


def test_without_competitors_there_is_no_ratio(tmp_path):
    alone = [Score(group, "LeNet-5", 1, {"cnnfast": 0.01}, []) for group in report.GROUPS]
    found = report.Results(alone, {}, {"LeNet-5": {"cnnfast": 10**8}}, [])
    assert len(report.aims_table(found)) == 2
    assert not report.shortfalls(found)
    assert "| LeNet-5 | 100 |  |" in report.tables(found)
    figures, _ = report.save(tmp_path, "networks", common.facts(1, []), found)
    assert json.loads(figures.read_text())["scores"][0]["ratio"] is None


# ---------------------------------------------------------------------------- the command


def test_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(CHECKOUT)  # the processes it starts find the benchmarks there
    monkeypatch.setattr(competitors, "PEERS", ())
    arguments = ["--quick", "--only", "lenet-5", "--threads", "1", "--out", str(tmp_path)]
    assert command.main(["networks", *arguments]) == 0
    printed = capsys.readouterr().out
    for group in report.GROUPS:
        assert f"| {group}, LeNet-5 | " in printed
    (figures,) = tmp_path.glob("networks-quick-*.json")
    data = json.loads(figures.read_text())
    assert all(score["seconds"]["cnnfast"] > 0 for score in data["scores"])
    assert 20e6 < data["peak memory"]["LeNet-5"]["cnnfast"] < 400e6
    assert len([*tmp_path.glob("*.png")]) == 1


def test_command_says_what_matches_nothing(monkeypatch, capsys):
    monkeypatch.setattr(competitors, "PEERS", ())
    assert command.main(["networks", "--quick", "--only", "no such network"]) == 2
    assert "matches nothing" in capsys.readouterr().err


@pytest.mark.slow
def test_cold_start_and_lines(monkeypatch):
    monkeypatch.chdir(CHECKOUT)
    found = run.run(CNNFAST, "cold start|linearity", quick=True, threads=1)
    assert found.cold_start["cnnfast"] > 0
    assert [len(line.seconds) for line in found.lines] == [
        len(linearity.IMAGES),
        len(linearity.SIDES),
    ]
    assert all(line.fit[1] > 0 for line in found.lines)


def test_a_process_that_fails_is_no_figure(monkeypatch, tmp_path):
    monkeypatch.chdir(CHECKOUT)
    for measure in (
        partial(memory.measure, [LENET], ["nobody"], 1),
        partial(cold_start._predict, "nobody", tmp_path, 1),
    ):
        with pytest.raises(RuntimeError, match="nobody ended with status 1"):
            measure()
