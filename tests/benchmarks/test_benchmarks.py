"""The harness that times, the shapes it times, and what it reports."""

import json
import subprocess
import sys
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import contests, kernels, page, report, scores, sliding
from benchmarks import layers as layer_contests
from cnnfast import functional, models, reference
from cnnfast.cli import race
from cnnfast.cli.race import Layer, Task, tasks, turns, vectorised

CHECKOUT = Path(__file__).parents[2]
LAYERS = kernels.layers()
TINY = [
    Layer("tiny", n=2, c=4, h=6, w=7, k=6, r=3, s=2, stride=2, padding=1, groups=2),
    Layer("tiny pool", n=2, c=3, h=7, w=6, r=3, s=3, stride=2, padding=1, ceil_mode=True),
]


def tiny_tasks():
    rng = np.random.default_rng(0)
    return [Task(kernel, layer, rng) for layer in TINY for kernel in layer.kernels]


# ---------------------------------------------------------------------------- the race


class Clock:
    """A clock that moves only when a competitor runs."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        self.ran = []
        fake = SimpleNamespace(perf_counter=lambda: self.now, sleep=lambda seconds: None)
        monkeypatch.setattr(turns, "time", fake)

    def competitor(self, name, seconds):
        """A function that takes each of `seconds` in turn, then the last again and again."""
        durations = iter(seconds[:-1])

        def run():
            self.ran.append(name)
            self.now += next(durations, seconds[-1])
            return np.ones(3)

        return run


def test_race_reports_minimum_and_median(monkeypatch):
    clock = Clock(monkeypatch)
    slow = clock.competitor("slow", [9, 3, 3, 5, 4])  # the check, the estimate, three rounds
    fast = clock.competitor("fast", [9, 1, 1, 2, 1])
    assert race.race({"slow": slow, "fast": fast}, 0) == {"slow": (3, 4, 3), "fast": (1, 1, 3)}


def test_race_takes_turns_and_changes_the_order(monkeypatch):
    clock = Clock(monkeypatch)
    names = ["a", "b", "c"]
    race.race({name: clock.competitor(name, [1]) for name in names}, 11)
    assert "".join(clock.ran) == "abc" + "abc" + "abcbcacab"


def test_a_quick_competitor_runs_several_times_a_turn_and_once_to_get_warm(monkeypatch):
    clock = Clock(monkeypatch)
    entrants = {"slow": clock.competitor("slow", [1]), "quick": clock.competitor("quick", [1e-4])}
    timings = race.race(entrants, 0)
    lengths = [len(list(turn)) for name, turn in groupby(clock.ran) if name == "quick"]
    assert max(lengths) > 2
    assert timings["quick"].calls < clock.ran.count("quick") - turns.LEAST_ROUNDS
    assert timings["quick"].minimum == pytest.approx(1e-4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ((np.ones((2, 2)), np.ones(3)), "result 0 of peer has shape"),
        ((np.zeros(4), np.ones(3) * 1.01), "result 1 of peer differs from that of cnnfast by"),
        ((np.zeros(4), np.array([1, 1, np.nan])), "differs"),
        (np.zeros(4), "peer gives 1 results, cnnfast 2"),
    ],
)
def test_race_refuses_unequal_competitors(wrong, message):
    right = (np.zeros(4), np.ones(3))
    timed = []
    with pytest.raises(race.UnequalError, match=message):
        race.race({"cnnfast": lambda: timed.append(1) or right, "peer": lambda: wrong})
    assert len(timed) == 1


def test_race_allows_rounding_and_yardsticks():
    x = np.array([1000.0, 0.0])
    timings = race.race({"a": lambda: x, "b": lambda: x + 1e-3}, 0, unchecked={"c": lambda: None})
    assert list(timings) == ["a", "b", "c"]


def test_measure_names_the_task_that_is_unequal():
    (task,) = [task for task in tiny_tasks() if task.kernel == "col2im"]
    with pytest.raises(race.UnequalError, match=r"col2im, tiny: the result of peer"):
        race.measure(task, 0, 0.001, {"peer": lambda: np.zeros(TINY[0].image)})


# ---------------------------------------------------------------------------- the tasks


@pytest.mark.parametrize("task", tiny_tasks(), ids=str)
def test_all_do_the_same_task(task):
    expected = task.call(race.kernels.LOOPS)()
    for module in (functional, vectorised):
        race.check_equal(module.__name__, task.call(module)(), "the loops", expected, 1e-5)


def test_work_is_what_the_notes_count():
    (layer,) = [layer for layer in LAYERS if layer.name == "AlexNet conv1"]
    rng = np.random.default_rng(0)
    forward, backward, columns = (
        Task(kernel, layer, rng) for kernel in ("conv2d", "conv2d_backward", "im2col")
    )
    assert forward.work == 2 * 8 * 96 * 363 * 3025
    assert backward.work == 2 * forward.work
    assert columns.work == 4 * 8 * (363 * 3025 + 3 * 227 * 227)
    assert (forward.unit, columns.unit) == ("GFLOP/s", "GB/s")


@pytest.mark.parametrize("steps", [1, 1e3, 1e5, 1e12])
@pytest.mark.parametrize("layer", LAYERS + TINY, ids=lambda layer: layer.name)
def test_a_slice_is_a_part_of_the_layer(monkeypatch, layer, steps):
    monkeypatch.setattr(tasks, "_operands", lambda *shapes: ())
    for kernel in layer.kernels:
        whole = Task(kernel, layer, None)
        small, text = whole.slice(steps)
        part = Task(kernel, small, None)
        assert part.cost == whole.cost
        assert part.steps <= max(whole.steps, steps)
        # One position is the least there is; a map cut square, or whole, never halves thrice.
        assert part.steps <= max(steps, part.cost)
        assert part.steps >= min(steps, whole.steps / layer.groups) / 8
        assert all(a <= b for a, b in zip(small.image, layer.image, strict=True))
        assert f"of {layer.n} images" in text


@pytest.mark.parametrize("task", tiny_tasks(), ids=str)
def test_loops_are_scaled_by_work(task):
    timing = race.time_loops(task, 1e-9)  # the least: one position
    part = Task(task.kernel, task.slice(1)[0], np.random.default_rng(0))
    assert timing.seconds == pytest.approx(timing.slice_seconds * task.steps / part.steps)
    assert timing.slice.startswith("1 of 2 images, 1 of ")


# ---------------------------------------------------------------------------- the shapes file


def test_shapes_cover_the_networks():
    names = [layer.name for layer in LAYERS]
    assert len(set(names)) == len(names)
    for some in (LAYERS, kernels.layers(quick=True)):
        for network in ("LeNet", "AlexNet", "VGG", "GoogLeNet", "ResNet"):
            assert any(layer.name.startswith(network) for layer in some)
        assert {kernel for layer in some for kernel in layer.kernels} == set(report.AIMS)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_shapes_are_sane(layer):
    sizes = (*layer.image, layer.r, layer.s, layer.stride)
    assert all(isinstance(size, int) and size > 0 for size in sizes)
    assert layer.c % layer.groups == 0
    assert layer.k % layer.groups == 0
    for size, taps, out in zip(layer.image[2:], layer.kernel_size, layer.out, strict=True):
        window = (size, taps, layer.stride, layer.padding)
        assert out == reference.pooled_size(*window, ceil_mode=layer.ceil_mode) >= 1
        # Networks halve their maps; a shape that is no network's would leave odd remainders.
        assert layer.stride <= 2 or (size + 2 * layer.padding - taps) % layer.stride == 0


def test_only_chooses_by_kernel_and_layer():
    pairs = kernels.plan(LAYERS, "^CONV2D, lenet")
    assert [(kernel, layer.name) for kernel, layer in pairs] == [
        ("conv2d", "LeNet-5 conv1"),
        ("conv2d", "LeNet-5 conv2"),
    ]
    pointwise = [kernel for kernel, layer in kernels.plan(LAYERS, "1x1") if "1x1" in layer.name]
    assert set(pointwise) == {"conv2d", "conv2d_backward"}


# ---------------------------------------------------------------------------- the report


@pytest.fixture(scope="module")
def results():
    return [race.measure(task, 0, 0.001) for task in tiny_tasks()]


def test_table_has_a_line_for_each_result(results):
    head, _, *lines = race.table(results).splitlines()
    assert head.split()[:4] == ["kernel", "layer", "cnnfast", "rate"]
    assert head.endswith("vs loops  vs NumPy  vs copy")
    for result, line in zip(results, lines, strict=False):
        assert line.startswith(result.kernel)
        copied = result.kernel in ("im2col", "col2im")
        assert sum(cell.endswith("x") for cell in line.split()) == (3 if copied else 2)


@pytest.mark.parametrize(
    ("ratio", "text"), [(0.456, "0.46x"), (1, "1.0x"), (12.34, "12.3x"), (12345, "12,300x")]
)
def test_ratios_are_written_with_three_digits_at_most(ratio, text):
    assert race.times(ratio) == text


def test_save_writes_figures_and_a_chart(results, tmp_path):
    peer = SimpleNamespace(name="PyTorch", version="2.0")
    facts = report.facts(1, [peer])
    figures, chart = report.save(tmp_path / "new", "kernels", facts, results)
    assert figures.stem == chart.stem
    assert figures.stem.startswith(f"kernels-{facts['date'][:10]}-")
    assert chart.read_bytes().startswith(b"\x89PNG")
    data = json.loads(figures.read_text())
    for fact in ("date", "instruction set", "threads of everyone", "processor", "NumPy", "PyTorch"):
        assert data["facts"][fact]
    assert [row["kernel"] for row in data["results"]] == [result.kernel for result in results]
    row = data["results"][0]
    assert set(row["competitors"]) == {"cnnfast", "NumPy", "copy"}
    cnnfast = row["competitors"]["cnnfast"]
    assert 0 < cnnfast["minimum"] <= cnnfast["median"]
    assert cnnfast["rate"] == pytest.approx(row["work"] / cnnfast["minimum"] / 1e9)
    assert row["naive loops"]["ratio"] > 0


def test_shortfalls_name_the_task_and_the_aim(results):
    slow, fast = race.Timing(2.0, 2.0, 3), race.Timing(1.0, 1.0, 3)
    (result,) = [result for result in results if result.kernel == "conv2d"]
    loops = result.loops._replace(seconds=1e6)
    behind = result._replace(timings={"cnnfast": slow, "NumPy": fast}, loops=loops)
    assert report.shortfalls([behind]) == [
        "Below the aims:",
        "  conv2d, tiny: 0.50x of NumPy, aim 1x",
    ]
    ahead = result._replace(timings={"cnnfast": fast, "NumPy": slow}, loops=loops)
    assert report.shortfalls([ahead]) == ["No result is below the aims."]


@pytest.mark.parametrize(
    ("processor", "name"),
    [
        ("AMD EPYC 9R14 96-Core Processor", "amd-epyc-9r14"),
        ("Intel(R) Core(TM) i7-1185G7 CPU @ 3.00GHz", "intel-core-i7-1185g7"),
        ("", "unknown"),
    ],
)
def test_short_name(processor, name):
    assert report.short_name(processor) == name


# ---------------------------------------------------------------------------- the command


def test_command(tmp_path):
    arguments = ["--quick", "--only", "lenet-5", "--threads", "1", "--out", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "conv2d_backward" in done.stdout
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".png"]


def test_command_ends_with_an_error_where_results_differ(monkeypatch, capsys, tmp_path):
    wrong = SimpleNamespace(name="peer", version="1", call=lambda task: lambda: np.zeros(1))
    monkeypatch.setattr(command, "installed", lambda threads: ([wrong], []))
    arguments = ["--quick", "--only", "^max_pool2d, lenet-5", "--out", str(tmp_path)]
    assert command.main(arguments) == 1
    assert "error: max_pool2d, LeNet-5 pool1: the result of peer" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_command_says_what_matches_nothing(capsys):
    assert command.main(["--only", "no such layer"]) == 2
    assert "matches nothing" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main(["--only", "("])


def test_the_page_names_what_is_slower(tmp_path, results):
    """Every figure on the page comes from the run it shows."""
    facts = report.facts(1, [])
    path = tmp_path / "docs" / "performance.md"
    lines = report.section("python -m benchmarks", facts, results, ["a.json", "a.png"])
    page.write_section("kernels", lines, path)
    text = path.read_text()
    assert facts["processor"] in text
    assert "](a.png)" in text
    assert text.count("| ") > 3
    for result in results:
        for name in result.timings:
            if name in report.BARS and result.ratio(name) < 1:
                assert f"{race.times(result.ratio(name))} of {name}" in text


# ---------------------------------------------------------------------------- contests on layers


def some_scores():
    names = ["1 AlexNet conv1", "4 VGG conv1_1"]
    ratios = {"forward": ([2.0, 2.2, 1.9], [6.0]), "one small call": ([0.5],)}
    return [
        contests.Score(group, name, 1e9, {"cnnfast": 0.01, "torch NCHW": 0.02}, found)
        for group, rows in ratios.items()
        for name, found in zip(names, rows, strict=False)
    ]


def test_a_score_takes_the_best_peer_in_each_process_and_the_median_of_processes():
    contest = contests.Contest("forward", "row", 2e9, dict)
    processes = [
        {"cnnfast": 1.0, "torch NCHW": 3.0, "torch channels-last": 2.0},
        {"cnnfast": 2.0, "torch NCHW": 2.0, "torch channels-last": 9.0},
        {"cnnfast": 1.0, "torch NCHW": 9.0, "torch channels-last": 5.0},
    ]
    score = contests.score(contest, processes)
    assert score.ratios == [2.0, 1.0, 5.0]
    assert score.ratio == 2.0
    assert score.seconds == {"cnnfast": 1.0, "torch NCHW": 3.0, "torch channels-last": 5.0}
    assert score.rate == 2.0


def test_each_process_begins_with_another_competitor(monkeypatch):
    orders = []

    def race(calls, seconds):
        orders.append("".join(calls))
        return {name: race_module.Timing(1.0, 1.0, 1) for name in calls}

    race_module = sys.modules["cnnfast.cli.race"]
    monkeypatch.setattr(contests, "race", race)
    contest = contests.Contest("g", "n", 1, lambda: dict.fromkeys("abc"))
    for turn in range(4):
        assert [*contests.hold([contest], turn, 1, 0)] == [{"a": 1.0, "b": 1.0, "c": 1.0}]
    assert orders == ["abc", "bca", "cab", "abc"]


def test_aims_are_means_and_worst_with_and_without_the_row_of_page_faults():
    lines = scores.aims_table(some_scores())
    assert "| forward | geometric mean | 1.8x | 3.46x | 2.0x |  |" in lines
    assert "| one small call | worst | 1.0x | 0.50x |  | **below** |" in lines
    contests_of_layers = [*layer_contests.contests()]
    known = {contest.group for contest in contests_of_layers} | {"forward, AVX2"}
    assert {aim.group for aim in scores.AIMS} <= known
    assert json.loads(json.dumps([contest.work for contest in contests_of_layers]))


def test_the_section_of_the_layers(tmp_path):
    facts = report.facts(1, [])
    kept = scores.save(tmp_path, "layers", facts, some_scores())
    assert [path.suffix for path in kept] == [".json", ".png"]
    text = "\n".join(scores.section("command", facts, some_scores(), ["a.json", "a.png"]))
    assert "| 1 AlexNet conv1 | 100 | 2.0x |" in text
    assert "- one small call, 1 AlexNet conv1: 0.50x" in text


def test_sections_of_the_page_are_written_one_by_one(tmp_path):
    path = tmp_path / "page.md"
    page.write_section("kernels", ["superseded"], path)
    page.write_section("layers", ["of layers"], path)
    page.write_section("kernels", ["new"], path)
    text = path.read_text()
    assert "superseded" not in text
    assert text.index("of layers") < text.index("new") < text.index("## What was found")
    assert text.startswith("# Performance")


@pytest.mark.parametrize("group", ["forward", "gradient of the input", "one small call"])
def test_the_table_of_layers_is_the_design_pages(group):
    (first, *_) = [c for c in layer_contests.contests() if c.group == group]
    assert first.work > 0
    assert [layer.name.split()[0] for layer in layer_contests.TABLE] == [
        str(row) for row in range(1, 16)
    ]


# ---------------------------------------------------------------------------- sliding


def test_a_network_races_its_crops():
    timings = sliding.race_network(models.lenet5(), "flatten", 28, 36, 0)
    first, *others = sliding.lines(timings)
    assert first.startswith("converted network  ")
    assert first.endswith(" 1.0x")
    assert len(others) == 3


def test_crops_are_those_the_network_slides_over():
    x = np.arange(2 * 5 * 5).reshape(1, 2, 5, 5)
    cut = sliding.windows(x, 3, 2, 2)
    assert [crop[0, 0, 0, 0] for crop in cut] == [0, 2, 10, 12]
    assert {crop.shape for crop in cut} == {(1, 2, 3, 3)}
