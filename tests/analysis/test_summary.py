"""The ledger against sums done by hand and figures from the literature."""

import json

import numpy as np
import pytest

from cnnfast import models, nn
from cnnfast.analysis import summary
from cnnfast.analysis.table import quantity


def vgg16_features():
    layers, channels = [], 3
    for convolutions, filters in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(convolutions):
            layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU()]
            channels = filters
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def column(ledger, name):
    return [getattr(row, name) for row in ledger.rows]


# ---------------------------------------------------------------------------- known networks


def test_lenet():
    ledger = summary(models.lenet5(), (1, 28, 28))
    assert [(row.name, row.output_shape) for row in ledger.rows] == [
        ("input", (1, 28, 28)),
        ("conv1", (6, 28, 28)),
        ("relu1", (6, 28, 28)),
        ("pool1", (6, 14, 14)),
        ("conv2", (16, 10, 10)),
        ("relu2", (16, 10, 10)),
        ("pool2", (16, 5, 5)),
        ("flatten", (400,)),
        ("fc1", (120,)),
        ("relu3", (120,)),
        ("fc2", (84,)),
        ("relu4", (84,)),
        ("fc3", (10,)),
    ]
    assert column(ledger, "kind")[:4] == ["Input", "Conv2d", "ReLU", "MaxPool2d"]
    assert column(ledger, "parameters") == [
        *(0, 156, 0, 0, 2416, 0, 0, 0),
        *(48_120, 0, 10_164, 0, 850),
    ]
    assert column(ledger, "activations") == [784, 4704, 0, 1176, 1600, 0, 400, 0, 120, 0, 84, 0, 10]
    assert column(ledger, "multiply_adds") == [
        *(0, 117_600, 0, 0, 240_000, 0, 0, 0),
        *(48_000, 0, 10_080, 0, 840),
    ]
    # The classifier sees the 28x28 image and the padding of 2 around it.
    assert column(ledger, "receptive_field") == [
        *[(n, n) for n in (1, 5, 5, 6, 14, 14, 16, 16)],
        *[(32, 32)] * 5,
    ]
    assert column(ledger, "jump") == [(n, n) for n in (1, 1, 1, 2, 2, 2) + (4,) * 7]
    assert (ledger.parameters, ledger.parameter_bytes) == (61_706, 246_824)
    assert (ledger.activations, ledger.activation_bytes) == (8878, 35_512)
    assert ledger.multiply_adds == 416_520
    assert ledger.live_activations == 4704 + 1176
    assert ledger.inference_bytes == 246_824 + 4 * 5880
    assert ledger.forward_bytes == 246_824 + 35_512
    assert ledger.training_bytes == 3 * 246_824 + 2 * 35_512


def test_the_convolutions_of_vgg16():
    """The notes' ledger; all of it with the fully connected layers is a slow test."""
    ledger = summary(vgg16_features(), (3, 224, 224))
    assert [row.activations for row in ledger.rows if row.activations] == [
        *(150_528, 3_211_264, 3_211_264, 802_816, 1_605_632, 1_605_632, 401_408),
        *(802_816, 802_816, 802_816, 200_704, 401_408, 401_408, 401_408, 100_352),
        *(100_352, 100_352, 100_352, 25_088),
    ]
    assert ledger.parameters == 14_714_688
    assert ledger.activations == 15_237_608 - 4096 - 4096 - 1000
    assert ledger.multiply_adds == 15_346_630_656
    # A. Araujo et al., "Computing receptive fields of convolutional neural networks", 2019.
    assert ledger.rows[-1].receptive_field == (212, 212)
    assert ledger.rows[-1].jump == (32, 32)


@pytest.mark.slow
def test_all_of_vgg16():
    ledger = summary(models.vgg16(), (3, 224, 224))
    assert ledger.parameters == 138_357_544
    assert ledger.activations == 15_237_608
    assert ledger.multiply_adds == 15_346_630_656 + 102_760_448 + 16_777_216 + 4_096_000
    assert ledger.rows[-1].receptive_field == (404, 404)  # 212 + 6 * 32


def test_the_convolutions_of_alexnet():
    """As the paper has them but for its two groups: 55x55, 27x27 and 13x13 maps."""
    model = nn.Sequential(
        *(nn.Conv2d(3, 96, 11, stride=4), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(256, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
    )
    ledger = summary(model, (3, 227, 227))
    products = [row.multiply_adds for row in ledger.rows if row.multiply_adds]
    # Table 2 of V. Sze et al., "Efficient processing of deep neural networks", 2017: 666 M.
    assert products == [105_415_200, 223_948_800, 149_520_384, 112_140_288, 74_760_192]
    assert ledger.rows[-1].receptive_field == (195, 195)
    assert ledger.rows[-1].jump == (32, 32)


# ---------------------------------------------------------------------------- receptive fields


def fields(*layers, shape=(2, 32, 32)):
    ledger = summary(nn.Sequential(*layers), shape)
    return [(row.receptive_field, row.jump) for row in ledger.rows[1:]]


def test_dilation_grows_it_fast():
    layers = [nn.Conv2d(2, 2, 3, dilation=d, padding=d) for d in (1, 2, 4)]
    assert fields(*layers) == [((n, n), (1, 1)) for n in (3, 7, 15)]


def test_axes_apart():
    conv = nn.Conv2d(2, 2, (1, 7), stride=(1, 2))
    pool = nn.AvgPool2d((3, 2), (2, 1))
    assert fields(conv, pool) == [((1, 7), (1, 2)), ((3, 9), (2, 2))]


@pytest.mark.parametrize("pool", [nn.GlobalAvgPool2d(), nn.AdaptiveMaxPool2d(1)])
def test_global_pools_see_the_map(pool):
    stride = nn.Conv2d(2, 2, 3, stride=2)  # 15x15
    assert fields(stride, pool)[1] == ((3 + 14 * 2, 3 + 14 * 2), (2, 2))


def test_adaptive_pools():
    # Windows of 32 in 5 begin at 0, 6, 12, 19, 25 and end at 7, 13, 20, 26, 32.
    assert fields(nn.AdaptiveAvgPool2d((5, 32))) == [((8, 1), (6.4, 1))]


def test_layers_that_enlarge():
    layers = [
        nn.Conv2d(2, 2, 3, stride=2, padding=1),
        nn.ConvTranspose2d(2, 2, 4, stride=2, padding=1),  # every output is made of 2x2 inputs
        nn.Conv2d(2, 2, 3, padding=1),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(2, 2, 3, padding=1),  # sees 3x3 of 2x2 copies: two pixels further
        nn.Upsample(scale_factor=2, mode="bilinear"),
    ]
    assert fields(*layers) == [
        ((n, n), (j, j)) for n, j in [(3, 2), (5, 1), (7, 1), (7, 0.5), (8, 0.5), (9, 0.25)]
    ]


def test_a_transposed_convolution_of_larger_steps_than_filters():
    assert fields(nn.ConvTranspose2d(2, 2, 2, stride=3)) == [((1, 1), (1 / 3, 1 / 3))]
    assert fields(nn.ConvTranspose2d(2, 2, 3, stride=2, dilation=2)) == [((3, 3), (0.5, 0.5))]


def test_unpooling():
    graph = nn.Graph(
        {
            "pool": (nn.MaxPool2d(2, return_indices=True), "input"),
            "unpool": (nn.MaxUnpool2d(2), "pool:0", "pool:1"),
        }
    )
    rows = summary(graph, (2, 8, 8)).rows
    assert [row.name for row in rows] == ["input", "pool:0", "pool:1", "unpool"]
    assert (rows[-1].receptive_field, rows[-1].jump) == ((2, 2), (1, 1))


@pytest.mark.parametrize(
    ("conv", "shape"),
    [(nn.Conv1d(2, 3, 5, stride=2), (2, 9)), (nn.Conv3d(2, 3, 5, stride=2), (2, 9, 9, 9))],
)
def test_other_numbers_of_axes(conv, shape):
    axes = len(shape) - 1
    row = summary(conv, shape).rows[-1]
    assert (row.receptive_field, row.jump) == ((5,) * axes, (2,) * axes)
    assert row.multiply_adds == 2 * 3 * 5**axes * 3**axes


def test_multiply_adds_of_other_layers():
    for layer, products in (
        (nn.ConvTranspose2d(2, 3, 4, stride=2), 2 * 3 * 16 * 36),  # at every one of 6x6 inputs
        (nn.Conv2d(2, 4, 3, groups=2), 4 * 9 * 16),
        (nn.LocallyConnected2d(2, 3, (6, 6), 3), 2 * 3 * 9 * 16),
        (nn.BatchNorm2d(2), 0),
    ):
        assert summary(layer, (2, 6, 6)).multiply_adds == products


def test_where_branches_meet_the_largest_counts():
    model = nn.Concat(
        nn.Conv2d(2, 2, 1),
        nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1)),
        nn.Conv2d(2, 2, (1, 7), padding=(0, 3)),
    )
    ledger = summary(model, (2, 9, 9))
    assert ledger.rows[-1].receptive_field == (5, 7)


def test_features_see_nothing_of_an_image():
    ledger = summary(nn.Sequential(nn.Linear(5, 4), nn.ReLU()), (5,))
    assert column(ledger, "receptive_field") == [()] * 3


# ---------------------------------------------------------------------------- memory


def test_values_that_another_layer_needs_are_not_written_over():
    graph = nn.Graph(
        {
            "fc": (nn.Linear(10, 8), "input"),
            "relu": (nn.ReLU(), "fc"),
            "tanh": (nn.Tanh(), "relu"),
            "sum": (nn.Add(), "fc", "tanh"),
        }
    )
    ledger = summary(graph, (10,))
    assert column(ledger, "activations") == [10, 8, 8, 0, 8]
    assert ledger.live_activations == 3 * 8


def test_inputs_and_outputs_are_not_written_over():
    graph = nn.Graph(
        {"a": (nn.ReLU(), "input"), "b": (nn.ReLU(), "a"), "c": (nn.ReLU(), "b")},
        outputs=["a", "c"],
    )
    assert column(summary(graph, (3,)), "activations") == [3, 3, 3, 0]


def test_the_most_at_once_is_not_the_sum():
    layers = [nn.Linear(*sizes) for sizes in ((100, 10), (10, 60), (60, 50), (50, 1))]
    ledger = summary(nn.Sequential(*layers), (100,))
    assert ledger.activations == 221
    assert ledger.live_activations == 110
    assert ledger.live_bytes == 440


def test_a_value_is_there_from_its_making_to_its_last_use():
    graph = nn.Graph(
        {
            "early": (nn.Linear(2, 100), "input"),
            "small": (nn.Linear(2, 3), "input"),
            "wide": (nn.Linear(3, 50), "small"),
            "narrow": (nn.Linear(50, 100), "wide"),
            "late": (nn.Add(), "early", "narrow"),
        }
    )
    assert summary(graph, (2,)).live_activations == 300  # late, and the two it takes


def test_outputs_are_kept_to_the_end():
    graph = nn.Graph(
        {
            "early": (nn.Linear(2, 100), "input"),
            "wide": (nn.Linear(2, 50), "input"),
            "late": (nn.Linear(50, 60), "wide"),
        },
        outputs=["early", "late"],
    )
    assert summary(graph, (2,)).live_activations == 210


def test_float64_takes_twice_the_bytes():
    ledger = summary(models.lenet5(dtype=np.float64), (1, 28, 28))
    assert (ledger.parameter_bytes, ledger.activation_bytes) == (2 * 246_824, 2 * 35_512)


# ---------------------------------------------------------------------------- any graph


class Wrapped(nn.Module):
    """What a loader of other people's files may put around a layer."""

    def __init__(self, layer):
        self.layer = layer

    def __call__(self, x):
        return self.layer(x + 1)


def test_the_layer_in_a_wrapper_counts():
    conv = nn.Conv2d(2, 3, 3, stride=2)
    rows = summary(nn.Sequential(Wrapped(conv), Wrapped(nn.ReLU())), (2, 9, 9)).rows
    assert rows[1][1:] == summary(conv, (2, 9, 9)).rows[1][1:]
    assert (rows[2].kind, rows[2].activations) == ("ReLU", 0)


def test_the_same_in_another_shape_needs_no_memory():
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(48, 2))
    assert not model[0](np.ones((1, 2, 6, 6), np.float32)).flags.c_contiguous  # it is a copy
    assert column(summary(model, (2, 6, 6)), "activations") == [72, 48, 0, 2]


class Constant(nn.Module):
    def __init__(self, value):
        self.value = value

    def __call__(self):
        return self.value


class Shape(nn.Module):
    def __call__(self, x):
        return np.array(x.shape)


class Reshape(nn.Module):
    def __call__(self, x, shape):
        return x.reshape(shape)


class Resize(nn.Module):
    """Takes an optional argument."""

    def __call__(self, x, scale):
        return x if scale is None else x * scale


def test_integers_constants_several_outputs_and_views():
    graph = nn.Graph(
        {
            "conv": (nn.Conv2d(2, 4, 3), "image"),
            "shape": (Shape(), "conv"),
            "two": (Constant(np.ones((2, 2))),),
            "four": (nn.Add(), "two", "two"),
            "reshape": (Reshape(), "conv", "shape"),
            "resize": (Resize(), "reshape", None),
            "fc": (nn.Linear(6, 4), "numbers"),
            "joined": (nn.Sequential(), "four"),
        },
        inputs=["image", "numbers"],
        outputs=["resize", "joined", "fc", "shape"],
    )
    ledger = summary(graph, (2, 5, 5), (6,))
    rows = {row.name: row for row in ledger.rows}
    assert rows["shape"].output_shape == (4,)
    assert rows["reshape"].activations == 0
    assert rows["resize"].receptive_field == (3, 3)
    assert rows["fc"].receptive_field == ()
    assert not {"two", "four"} & rows.keys()  # constants are no activations
    assert ledger.activations == 50 + 6 + 36 + 4 + 4
    assert str(ledger)


class Halves(nn.Module):
    """Gives two values, and has parameters."""

    def __init__(self):
        self.fc = nn.Linear(4, 6)

    def __call__(self, x):
        return tuple(np.split(self.fc(x), 2, axis=1))


def test_several_values_are_several_rows():
    graph = nn.Graph({"halves": (Halves(), "input"), "sum": (nn.Add(), "halves:0", "halves:1")})
    ledger = summary(graph, (4,))
    assert [(row.name, row.parameters, row.activations) for row in ledger.rows] == [
        *(("input", 0, 4), ("halves:0", 30, 3), ("halves:1", 0, 3), ("sum", 0, 3))
    ]


def test_a_shared_layer_counts_its_parameters_once_and_its_work_twice():
    fc = nn.Linear(4, 4)
    ledger = summary(nn.Sequential(fc, nn.ReLU(), fc), (4,))
    assert column(ledger, "parameters") == [0, 20, 0, 0]
    assert (ledger.parameters, ledger.multiply_adds) == (20, 32)


def test_a_module_of_its_own_kind_is_one_row():
    class Net(nn.Module):
        def __init__(self):
            self.fc1, self.fc2 = nn.Linear(4, 5), nn.Linear(5, 2)

        def __call__(self, x):
            return self.fc2(self.fc1(x))

    (_, row) = summary(Net(), (4,)).rows
    assert (row.name, row.kind, row.parameters, row.activations) == ("", "Net", 37, 2)


def test_nothing():
    ledger = summary(nn.Sequential(), (3, 4, 4))
    assert (len(ledger.rows), ledger.parameters, ledger.live_activations) == (1, 0, 48)
    assert str(ledger)


def test_wrong_inputs():
    with pytest.raises(ValueError, match=r"summary: the model takes 1 inputs \(input\), got 0 sha"):
        summary(models.lenet5())
    with pytest.raises(ValueError, match="conv2d: "):
        summary(models.lenet5(), (3, 28, 28))


# ---------------------------------------------------------------------------- text


def test_table():
    lines = str(summary(models.lenet5(), (1, 28, 28))).splitlines()
    assert lines[0].split()[:6] == [
        *("layer", "kind", "output", "parameters", "activations", "memory")
    ]
    assert lines[3].split() == [
        *("conv1", "Conv2d", "6x28x28", "156", "4,704", "18.8", "kB", "118", "k", "5", "1")
    ]
    assert lines[4].split() == ["relu1", "ReLU", "6x28x28", "5", "1"]
    assert len({line.rstrip().rfind("  ") for line in lines[4:6]}) == 1  # columns are aligned
    text = "\n".join(lines)
    for words in ("61,706   247 kB", "8,878  35.5 kB", "5,880  23.5 kB", "416,520    417 k"):
        assert words in text
    for words in ("270 kB    23.5 kB", "282 kB    35.5 kB", "811 kB    71.0 kB"):
        assert words in text


def test_fields_that_differ_by_axis():
    text = str(summary(nn.Conv2d(1, 1, (1, 7), (1, 2)), (1, 9, 9)))
    assert text.splitlines()[3].split()[-2:] == ["1x7", "1x2"]


def test_to_dict_is_for_json():
    ledger = summary(models.lenet5(), (1, 28, 28))
    data = json.loads(json.dumps(ledger.to_dict()))
    assert data["totals"]["multiply_adds"] == 416_520
    assert data["totals"]["training_bytes"] == ledger.training_bytes
    assert data["rows"][1]["receptive_field"] == [5, 5]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (7, "7"), (999, "999"), (1000, "1.00 k"), (99_960, "100.0 k"), (2.5e13, "25.0 T")],
)
def test_quantities(value, text):
    assert quantity(value) == text
    assert quantity(7, "B") == "7 B"
