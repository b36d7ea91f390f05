"""Advice: networks that break each rule and some that keep it, and what batches really take."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

import cnnfast
from cnnfast import models, nn
from cnnfast.analysis import Footprint, advice, advise
from cnnfast.analysis.machine import memory_limit
from tests.helpers import CHECKOUT


def findings(model, *shapes):
    return [tuple(finding) for finding in advise(model, *shapes).findings]


def broken(model, *shapes):
    """Layers and rules."""
    return [(finding.layer, finding.rule) for finding in advise(model, *shapes).findings]


def row(*layers):
    return nn.Sequential(*layers)


# ---------------------------------------------------------------------------- the rules


@pytest.fixture(scope="module")
def vgg():
    return advise(models.vgg11(), (3, 224, 224))


def test_vgg_keeps_all_rules(vgg):
    assert vgg.findings == []
    assert str(vgg).startswith("nothing breaks the notes' rules\n")


def test_most_memory_is_in_early_convolutions_and_most_parameters_in_late_features(vgg):
    layer, size, part = vgg.memory[0]
    assert (layer, size) == ("features.0", 64 * 224 * 224 * 4)
    assert vgg.parameters[0][:2] == ("classifier.0", 512 * 7 * 7 * 4096 + 4096)
    assert vgg.parameters[0].part == pytest.approx(102_764_544 / 132_863_336)
    text = str(vgg).splitlines()
    assert text[2].split()[:3] == ["memory", "features.0", f"{part:.0%}"]
    assert "classifier.0 77% (103 M)" in text[3]


@pytest.mark.parametrize(
    ("pools", "side", "expected"),
    [
        (1, 33, "33 / 2 = 16.5 | a pixel of the last map is 2 wide; 32 or 34 would divide evenly"),
        (5, 48, "48 / 32 = 1.5 | a pixel of the last map is 32 wide; 32 or 64 would"),
        (2, 7, "7 / 4 = 1.75 | a pixel of the last map is 4 wide; 4 or 8 would"),
        (5, 96, None),
        (4, 48, None),
    ],
)
def test_inputs_are_divisible_as_often_as_they_are_halved(pools, side, expected):
    pooled = row(*[nn.MaxPool2d(2) for _ in range(pools)])
    found = [f for f in findings(pooled, (1, side, side)) if f[1] == "input"]
    assert len(found) == (expected is not None)
    if expected:
        assert " | ".join(found[0][2:]).startswith(expected)
        assert found[0][0] == "input"


def test_height_and_width_are_told_apart():
    found = findings(row(nn.MaxPool2d((2, 1)), nn.MaxPool2d(2)), (1, 16, 15))
    assert [f[:3] for f in found] == [
        ("input", "input", "15 / 2 = 7.5"),
        ("1", "fit", "(15 - 2 + 0)/2 + 1 = 7.5"),
    ]
    both = findings(nn.MaxPool2d(2), (1, 9, 7))
    assert [f[2] for f in both] == [
        *("9 / 2 = 4.5", "7 / 2 = 3.5", "(9 - 2 + 0)/2 + 1 = 4.5", "(7 - 2 + 0)/2 + 1 = 3.5")
    ]


def test_a_global_pool_at_the_end_halves_nothing():
    assert broken(row(nn.MaxPool2d(2), nn.GlobalAvgPool2d()), (1, 6, 6)) == []
    assert broken(row(nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(2)), (1, 6, 6)) == []


@pytest.mark.parametrize(
    ("conv", "figure", "advice"),
    [
        (nn.Conv2d(1, 1, 3), "12x12 becomes 10x10", "padding=1 keeps"),
        (nn.Conv2d(1, 1, 5, padding=1), "12x12 becomes 10x10", "padding=2 keeps"),
        (nn.Conv2d(1, 1, (1, 5)), "12x12 becomes 12x8", "padding=(0, 2) keeps"),
        (nn.Conv2d(1, 1, 3, dilation=2), "12x12 becomes 8x8", "padding=2 keeps"),
        (nn.Conv2d(1, 1, 2), "12x12 becomes 11x11", "padding='same' keeps"),
    ],
)
def test_convolutions_that_shrink_the_map(conv, figure, advice):
    ((layer, rule, found, text),) = findings(row(conv), (1, 12, 12))
    assert (layer, rule, found) == ("0", "shrinks", figure)
    assert text.startswith(advice)
    padding = re.match(r"padding=('same'|\(.*\)|\d+)", text)[1]
    conv.padding = {"'same'": "same"}.get(padding) or eval(padding)
    assert broken(row(conv), (1, 12, 12)) == []


def test_a_convolution_over_all_of_the_map_is_a_fully_connected_layer():
    assert broken(nn.Conv2d(3, 8, 7), (3, 7, 7)) == []
    head = nn.convert_linear_to_conv(models.lenet5(), (1, 28, 28))
    assert broken(head, (1, 28, 28)) == [("conv2", "shrinks")]


def test_convolutions_with_a_stride():
    found = findings(nn.Conv2d(1, 1, 3, stride=2, padding=1), (1, 9, 9))
    assert [f[1:3] for f in found if f[1] != "input"] == [("stride", "9x9 becomes 5x5")]


@pytest.mark.parametrize(
    ("layer", "side", "figure", "advice"),
    [
        (nn.MaxPool2d(3, 2), 8, "(8 - 3 + 0)/2 + 1 = 3.5", "leaves out the last 1 of 8 rows or"),
        (nn.AvgPool2d(2, 5), 20, "(20 - 2 + 0)/5 + 1 = 4.6", "leaves out the last 3 of 20 rows"),
        (nn.LPPool2d(2, 3, 2), 8, "(8 - 3 + 0)/2 + 1 = 3.5", "leaves out the last 1 of 8 rows"),
        (nn.MaxPool2d(3, 2, 1), 8, "(8 - 3 + 2)/2 + 1 = 4.5", "leaves out the last 1 of 1 rows or"),
        (
            nn.MaxPool2d(3, ceil_mode=True),
            10,
            "(10 - 3 + 0)/3 + 1 = 3.33333",
            "the last window of 3 hangs over the edge by 2",
        ),
        (
            nn.Conv2d(1, 1, 11, 4, 2),
            224,
            "(224 - 11 + 4)/4 + 1 = 55.25",
            "leaves out the last 1 of 2 rows or columns of padding",
        ),
    ],
)
def test_windows_that_do_not_fit(layer, side, figure, advice):
    (found,) = [f for f in findings(row(layer), (1, side, side)) if f[1] == "fit"]
    assert found[2] == figure
    assert found[3].startswith(advice)


def test_alexnet_fits_images_of_227_without_padding():
    conv = nn.Conv2d(1, 1, 11, stride=4)
    assert ("", "fit") not in broken(conv, (1, 227, 227))
    assert ("", "fit") in broken(conv, (1, 224, 224))


@pytest.mark.parametrize(
    ("pool", "side", "figure"),
    [
        (nn.MaxPool2d(4), 8, ("4x4 windows", "leaves 6.2% of the values")),
        (nn.AvgPool2d((1, 5)), 10, ("1x5 windows", "leaves 20.0% of the values")),
        (nn.AdaptiveAvgPool2d(2), 8, ("4x4 windows", "leaves 6.2% of the values")),
        (nn.MaxPool2d(3), 9, None),
        (nn.MaxPool2d(3, 2), 7, None),
        (nn.AvgPool2d(8), 8, None),
        (nn.GlobalMaxPool2d(), 8, None),
        (nn.AdaptiveMaxPool2d(1), 8, None),
    ],
)
def test_pools_of_more_than_three(pool, side, figure):
    found = [f for f in findings(row(pool), (1, side, side)) if f[1] == "pool"]
    assert len(found) == (figure is not None)
    if figure:
        assert found[0][2] == figure[0]
        assert found[0][3].startswith(figure[1])


def stacked(sizes, into, out, groups=1):
    """Count the weights of the layers of 3x3 filters, by making them."""
    layers = []
    for i in range(max(size // 2 for size in sizes)):
        kernel = tuple(3 if size > 2 * i + 1 else 1 for size in sizes)
        layers.append(nn.Conv2d(out if i else into, out, kernel, groups=groups, bias=False))
    return sum(p.size for p in row(*layers).parameters())


@pytest.mark.parametrize(
    ("sizes", "into", "out", "groups"),
    [
        ((7, 7), 8, 8, 1),
        ((5, 5), 8, 8, 1),
        ((4, 4), 8, 8, 1),
        ((5, 5), 8, 16, 1),
        ((5, 5), 9, 16, 1),  # as many
        ((5, 5), 6, 24, 1),
        ((7, 7), 8, 32, 1),
        ((1, 7), 8, 8, 1),
        ((3, 5), 8, 8, 1),
        ((5, 5), 8, 8, 8),
        ((3, 3), 8, 8, 1),
    ],
)
def test_large_filters_where_a_stack_of_3x3_has_fewer_weights(sizes, into, out, groups):
    padding = tuple(((size - 1) // 2, size // 2) for size in sizes)
    first = nn.Conv2d(into, into, 9, padding=4)
    conv = nn.Conv2d(into, out, sizes, padding=padding, groups=groups)
    found = [f for f in findings(row(first, conv), (into, 12, 12)) if f[1] == "filter"]
    single, stack = conv.weight.size, stacked(sizes, into, out, groups)
    assert [f[:3] for f in found] == (
        [("1", "filter", f"{single:,} weights instead of {stack:,}")] if stack < single else []
    )


def test_the_first_layer_may_have_large_filters():
    conv = nn.Conv2d(8, 8, 7, padding=3)
    assert broken(row(nn.BatchNorm2d(8), conv), (8, 8, 8)) == []
    assert broken(row(conv, nn.Conv2d(8, 8, 7, padding=3)), (8, 8, 8)) == [("1", "filter")]


class Padded(nn.Module):
    """Pads what a layer takes, as a loader of other people's files may."""

    def __init__(self, layer):
        self.layer = layer

    def __call__(self, x):
        return self.layer(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))))


def test_other_dimensions_and_modules():
    assert broken(row(nn.Conv1d(2, 2, 3), nn.MaxPool1d(2)), (2, 10)) == [("0", "shrinks")]
    assert broken(nn.Conv3d(2, 2, 3), (2, 4, 4, 4)) == [("", "shrinks")]
    assert broken(row(nn.Linear(5, 4), nn.ReLU()), (5,)) == []
    assert broken(row(Padded(nn.Conv2d(2, 2, 3))), (2, 6, 6)) == []
    assert broken(row(nn.ReLU(), nn.Flatten()), (2, 7, 7)) == []
    assert broken(nn.Sequential(), (2, 7, 7)) == []


def test_names_of_layers_inside_others():
    model = row(nn.Residual(row(nn.Conv2d(1, 1, 4, padding="same"), nn.MaxPool2d(5, 1, 2))))
    assert broken(model, (1, 8, 8)) == [("0.body.1", "pool")]


# ---------------------------------------------------------------------------- batches


def test_batches_for_the_memory_there_is(monkeypatch):
    monkeypatch.setattr(advice, "memory_limit", lambda: 10**9)
    given = advise(models.lenet5(), (1, 28, 28))
    for need, batch in (
        (given.training, given.training_batch),
        (given.inference, given.inference_batch),
    ):
        assert need.bytes(batch) <= 0.8e9 < need.bytes(batch + 1)
    assert f"training batch   up to {given.training_batch:,} images in 80% of 1.00 GB: " in str(
        given
    )
    data = json.loads(json.dumps(given.to_dict()))
    assert data["training"]["batch"] == given.training_batch
    assert data["findings"][0]["layer"] == "conv2"


def test_a_machine_that_does_not_tell_its_memory(monkeypatch):
    monkeypatch.setattr(advice, "memory_limit", lambda: None)
    given = advise(models.lenet5(), (1, 28, 28))
    assert given.training_batch is None
    assert re.search(r"^training batch +about \S+ kB and \S+ kB an image$", str(given), re.M)


def test_features_take_their_parameters_and_themselves():
    given = advise(nn.Linear(1000, 10), (1000,))
    assert given.inference == (4 * 10_010, 4 * (1000 + 2 * 10))  # room for one block more
    assert given.training.fixed == 3 * 4 * 10_010


def test_filters_are_packed():
    conv = nn.Conv2d(64, 64, 3, padding=1)
    x = np.empty((8, 64, 16, 16), np.float32)
    tile = cnnfast.explain_conv2d(x, conv.weight.data, padding=1).forward.tile
    packed = (tile[0] + 2) * (tile[1] + 2) * 64 * 64 * 4  # by Winograd's way
    fixed = advise(nn.Sequential(nn.ReLU(), conv), (64, 16, 16)).inference.fixed
    assert fixed >= conv.weight.data.nbytes + packed


def test_a_network_that_is_too_large():
    assert Footprint(fixed=1000, per_image=1).images(999) == 0


def test_several_inputs():
    graph = nn.Graph(
        {"conv": (nn.Conv2d(1, 1, 3), "a"), "sum": (nn.Add(), "conv", "b")}, inputs=["a", "b"]
    )
    assert broken(graph, (1, 9, 9), (1, 7, 7)) == [("conv", "shrinks")]
    with pytest.raises(ValueError, match=r"takes 2 inputs \(a, b\), got 1 shapes"):
        advise(graph, (1, 9, 9))


# What a process takes with a network beyond what it took when all code was loaded.
MEASURE = """
import re, sys
import numpy as np
from cnnfast import models, nn, optim, training

def now(what):
    return 1024 * int(re.search(rf"{what}:\\s*(\\d+) kB", open("/proc/self/status").read())[1])

def work(model, x, learns):
    optimizer = optim.SGD(model.parameters(), lr=1e-6, momentum=0.9)
    for _ in range(2):
        if learns:
            batch = x, np.zeros(len(x), int)
            training.train_epoch(model, [batch], nn.CrossEntropyLoss(), optimizer)
        else:
            model(x)

_, network, batch, shape, what = sys.argv
work(models.lenet5(), np.ones((1, 1, 28, 28), np.float32), True)
before = now("VmRSS")
work(eval(network), np.ones((int(batch), *eval(shape)), np.float32), what == "training")
print(now("VmHWM") - before)
"""

VGG_LIKE = """
models.from_pattern("INPUT -> [[CONV -> RELU]*2 -> POOL]*3 -> FC -> RELU -> FC", (3, 64, 64))
""".strip()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("what", ["training", "inference"])
@pytest.mark.parametrize(
    ("network", "batch", "shape"),
    [
        ("models.cifar_resnet20()", 250, (3, 32, 32)),
        (VGG_LIKE, 40, (3, 64, 64)),
    ],
)
def test_estimates_against_processes(network, batch, shape, what):
    command = [sys.executable, "-c", MEASURE, network, str(batch), str(shape), what]
    measured = int(subprocess.check_output(command, cwd=CHECKOUT))
    estimate = getattr(advise(eval(network), shape), what).bytes(batch)
    assert 0.7 * estimate < measured < 1.3 * estimate


# ---------------------------------------------------------------------------- the machine


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({}, None),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "2000000\n"}, 2_000_000),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, None),
        (
            {
                "proc/self/cgroup": "0::/jobs/one\n",
                "sys/fs/cgroup/jobs/one/memory.max": "max\n",
                "sys/fs/cgroup/jobs/memory.max": "3000000\n",
                "sys/fs/cgroup/memory.max": "4000000\n",
            },
            3_000_000,
        ),
        (
            {"proc/self/cgroup": "0::/of/the/host\n", "sys/fs/cgroup/memory.max": "5000000\n"},
            5_000_000,
        ),
        (
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/x\n3:memory:/jobs\n0::/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                "sys/fs/cgroup/memory/jobs/memory.limit_in_bytes": "6000000\n",
                "sys/fs/cgroup/cpu/x/memory.limit_in_bytes": "1\n",
            },
            6_000_000,
        ),
    ],
)
def test_the_memory_that_containers_leave(tmp_path, files, limit):
    for name, text in files.items():
        write(tmp_path / name, text)
    machine = memory_limit(tmp_path / "nothing")
    assert machine > 2**27
    assert memory_limit(tmp_path) == (machine if limit is None else limit)


def test_no_memory_known(monkeypatch):
    monkeypatch.delattr("os.sysconf")
    assert memory_limit() is None
