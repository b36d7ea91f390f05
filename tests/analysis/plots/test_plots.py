"""Pictures: what is drawn, found again in the figure."""

from __future__ import annotations

import io

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from cnnfast import analysis, models, nn
from cnnfast.analysis import plots
from cnnfast.analysis.plots._images import mosaic, visible
from cnnfast.analysis.plots._style import RIGHT, WRONG
from tests.helpers import random, run_python


def drawn(figure):
    """Render a figure, and give its pixels."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=50)
    file.seek(0)
    return matplotlib.image.imread(file)


def pixels(axes):
    """The array of the one image in axes."""
    (image,) = axes.images
    return np.asarray(image.get_array())


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]


def texts(axes):
    return [text.get_text() for text in axes.texts if text.get_text()]


# ---------------------------------------------------------------------------- images


def test_visible_images():
    grey = np.array([0.0, 0.25, 0.5, 1.0]).reshape(1, 1, 2, 2)
    np.testing.assert_array_equal(visible("f", grey), grey[:, 0])
    dark = grey / 4
    np.testing.assert_array_equal(visible("f", dark), dark[:, 0])  # dark ones stay dark
    colour = random(2, 3, 4, 5)
    shown = visible("f", colour)
    assert shown.shape == (2, 4, 5, 3)
    assert [shown.min(axis=(1, 2, 3)).tolist(), shown.max(axis=(1, 2, 3)).tolist()] == [
        [0, 0],
        [1, 1],
    ]
    order = [image.ravel().argsort().tolist() for image in (colour[0].transpose(1, 2, 0), shown[0])]
    assert order[0] == order[1]
    np.testing.assert_array_equal(visible("f", np.full((1, 1, 1, 1), 51, np.uint8)), [[[0.2]]])
    np.testing.assert_array_equal(visible("f", np.full((1, 1, 1, 1), -7.0)), [[[0]]])
    two = np.array([0.2, 0.6]).reshape(1, 2, 1, 1)
    np.testing.assert_allclose(visible("f", two), [[[0.4]]])


@pytest.mark.parametrize(("images", "error"), [([[1]], TypeError), (np.ones((2, 2)), ValueError)])
def test_what_is_not_visible(images, error):
    with pytest.raises(error, match="saliency: images must be"):
        visible("saliency", images)


def test_mosaic():
    tiles = random(5, 16, 20)
    laid = mosaic(tiles, columns=3)
    assert laid.shape == (2 * 16 + 1, 3 * 20 + 2)
    np.testing.assert_array_equal(laid[17:, 21:41], tiles[4])
    assert np.isnan(laid[16]).all()
    assert np.isnan(laid).sum() == laid.size - tiles.size
    assert mosaic(random(2, 4, 4, 3), 2, background=1).shape == (4, 9, 3)


# ---------------------------------------------------------------------------- curves


HISTORY = {
    "train_loss": [1.5, 0.5, 0.25],
    "validation_loss": [1.0, 0.75, 0.5],
    "train_accuracy": [0.5, 0.75, 0.875],
    "validation_accuracy": [0.6, 0.7, 0.8],
    "lr": [0.1, 0.1, 0.01],
}


def test_training_curves():
    figure = plots.training_curves(HISTORY)
    loss, accuracy = figure.axes
    for axes, names in (
        (loss, ("train_loss", "validation_loss")),
        (accuracy, ("train_accuracy", "validation_accuracy")),
    ):
        for line, name in zip(axes.lines, names, strict=True):
            assert line.get_xdata().tolist() == [1, 2, 3]
            assert line.get_ydata().tolist() == HISTORY[name]
        labels = [text.get_text() for text in axes.get_legend().get_texts()]
        assert labels == ["training", "validation"]
    assert loss.get_yscale() == "log"
    assert texts(accuracy) == ["in the end: training 87.50%, validation 80.00%"]
    assert drawn(figure).std() > 0.02


def test_curves_of_one_epoch_and_of_losses_alone():
    figure = plots.training_curves(
        {"train_loss": np.array([0.0])}
    )  # of which there is no logarithm
    assert titles(figure) == ["Loss"]
    assert figure.axes[0].get_yscale() == "linear"
    assert titles(plots.training_curves({"validation_accuracy": [0.5] * 80})) == ["Accuracy"]
    drawn(figure)


def test_epochs_are_whole_numbers():
    for epochs in (1, 2, 5):
        figure = plots.training_curves({"train_loss": np.arange(epochs) + 1.0})
        drawn(figure)
        (axes,) = figure.axes
        left, right = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if left <= tick <= right]
        assert ticks == list(range(1, epochs + 1))


def test_curves_without_validation():
    nothing = {"validation_loss": [np.nan] * 2, "validation_accuracy": [np.nan] * 2}
    figure = plots.training_curves({"train_loss": [2.0, 1.0]} | nothing)
    assert titles(figure) == ["Loss"]
    assert texts(figure.axes[0]) == ["in the end: training 1"]
    now_and_then = {"train_loss": [2.0, 1.0], "validation_loss": [np.nan, 1.5]}
    assert len(plots.training_curves(now_and_then).axes[0].lines) == 2


@pytest.mark.parametrize(
    ("history", "words"),
    [
        ({}, "has nothing"),
        ({"lr": [1.0]}, "has lr"),
        ({"train_loss": []}, "has train_loss: 0"),
        (
            {"train_loss": [1.0], "validation_loss": [1.0, 2.0]},
            "has train_loss: 1, validation_loss: 2",
        ),
    ],
)
def test_curves_of_what_is_not_there(history, words):
    with pytest.raises(ValueError, match=f"training_curves: history must .* {words}"):
        plots.training_curves(history)


# ---------------------------------------------------------------------------- filters


def test_filters_in_grey():
    weights = random(10, 1, 5, 5)
    axes = plots.filters(weights).axes[0]
    np.testing.assert_array_equal(pixels(axes), np.ma.masked_invalid(mosaic(weights[:, 0], 4)))
    (image,) = axes.images
    assert image.get_clim() == (-np.abs(weights).max(), np.abs(weights).max())


def test_filters_in_colour():
    weights = random(2, 3, 3, 4)
    figure = plots.filters(weights)
    shown = pixels(figure.axes[0])
    assert shown.shape == (3, 9, 3)
    second = shown[:, 5:]
    recovered = (second - 0.5) * 2 * np.abs(weights).max()
    np.testing.assert_allclose(recovered.transpose(2, 0, 1), weights[1])
    assert (shown[:, 4] == 1).all()
    assert titles(figure) == ["2 filters of 3x4"]


def test_filters_of_other_channels():
    weights = random(4, 6, 3, 3)
    figure = plots.filters(weights)
    shown = pixels(figure.axes[0])
    np.testing.assert_array_equal(shown[8:11, 20:23], weights[2, 5])
    assert titles(figure) == ["4 filters of 3x3, 6 channels each"]
    drawn(plots.filters(np.zeros((1, 1, 1, 1))))


def test_filters_of_no_convolution():
    with pytest.raises(
        ValueError, match=r"filters: weights must be \(K, C, R, S\), got shape \(4,"
    ):
        plots.filters(np.ones((4, 3)))


# ---------------------------------------------------------------------------- activations


def test_activations_as_maps():
    model, image = models.lenet5(), random(1, 28, 28, dtype=np.float32)
    figure = plots.activations(model, image, "conv2")
    left, right = figure.axes[:2]
    assert pixels(left).shape == (28, 28)
    maps = analysis.activations(model, image[None], "conv2")[0]
    np.testing.assert_array_equal(pixels(right)[:10, 11:21], maps[1])
    np.testing.assert_array_equal(pixels(right)[11:21, :10], maps[8])
    assert titles(figure) == ["Image", "conv2: 16 maps of 10x10"]


def test_activations_as_bars():
    model, image = models.lenet5(), random(1, 28, 28, dtype=np.float32)
    figure = plots.activations(model, image, "fc3")
    heights = [bar.get_height() for bar in figure.axes[1].patches]
    np.testing.assert_allclose(heights, model(image[None])[0])
    assert titles(figure) == ["Image", "fc3: 10 values"]


def test_activations_of_many_maps():
    model = nn.Sequential(nn.Conv2d(3, 300, 1))
    figure = plots.activations(model, random(3, 2, 2, dtype=np.float32), "0")
    assert titles(figure)[1] == "0: 300 maps of 2x2, the first 256"


def test_activations_of_no_image():
    with pytest.raises(ValueError, match=r"activations: image must be \(C, H, W\)"):
        plots.activations(models.lenet5(), np.ones((1, 1, 28, 28), np.float32), "conv1")


# ---------------------------------------------------------------------------- saliency


def test_saliency():
    model, images = models.lenet5(), random(10, 1, 28, 28, dtype=np.float32)
    labels = np.arange(10)
    figure = plots.saliency(model, images, labels, names="abcdefghij")
    assert len(figure.axes) == 20
    maps = analysis.saliency(model, images, labels)
    below = {axes.get_xlabel(): pixels(axes) for axes in figure.axes if axes.get_xlabel()}
    assert sorted(below) == list("abcdefghij")
    for name, heat in zip("abcdefghij", maps, strict=True):
        np.testing.assert_array_equal(below[name], heat)
    assert drawn(figure).std() > 0.1


def test_saliency_of_the_highest_score_by_default():
    model, images = models.lenet5(), random(3, 1, 28, 28, dtype=np.float32)
    labels = [axes.get_xlabel() for axes in plots.saliency(model, images).axes[3:]]
    assert labels == [str(row.tolist().index(max(row))) for row in model(images)]


# ---------------------------------------------------------------------------- confusion


def test_confusion_matrix():
    counts = np.array([[8, 2, 0], [0, 10, 0], [1, 0, 19]])
    figure = plots.confusion_matrix(counts, ["cat", "dog", "ship"])
    (axes,) = figure.axes
    colours = pixels(axes)
    np.testing.assert_allclose(colours[1, 1], to_rgb(RIGHT))  # all of its class
    np.testing.assert_allclose(colours[0, 1], to_rgb(WRONG))  # the largest share of mistakes
    np.testing.assert_allclose(colours[2, 0], 1 - (1 - np.array(to_rgb(WRONG))) / 4)  # 5 % of 20 %
    np.testing.assert_array_equal(colours[0, 2], 1)
    written = {text.get_position(): text.get_text() for text in axes.texts if text.get_text()}
    assert written == {(0, 0): "8", (1, 0): "2", (1, 1): "10", (0, 2): "1", (2, 2): "19"}
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == ["cat", "dog", "ship"]
    assert titles(figure) == ["3 mistakes in 40 images"]


def test_numbers_of_the_confusion_matrix_stand_out_from_their_cells():
    counts = np.array([[50, *range(1, 12)], *np.diag(range(1, 12), 1)[:-1]])
    (axes,) = plots.confusion_matrix(counts).axes
    written = [text for text in axes.texts if text.get_text()]
    assert len(written) == 23
    for text in written:
        column, row = text.get_position()
        colours = to_rgb(text.get_color()), pixels(axes)[row, column]
        dark, light = sorted(map(luminance, colours))
        assert (light + 0.05) / (dark + 0.05) > 4  # the contrast of WCAG 2


def luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return np.dot(linear, [0.2126, 0.7152, 0.0722])


def test_confusion_of_many_classes_and_of_no_images():
    figure = plots.confusion_matrix(np.eye(100, dtype=int))
    assert titles(figure) == ["0 mistakes in 100 images"]
    assert texts(figure.axes[0]) == []
    assert (pixels(plots.confusion_matrix(np.zeros((2, 2), int)).axes[0]) == 1).all()


def test_confusion_of_what_is_none():
    with pytest.raises(ValueError, match=r"must be \(classes, classes\), got shape \(2, 3\)"):
        plots.confusion_matrix(np.ones((2, 3), int))
    with pytest.raises(ValueError, match="2 classes need as many names, got 1"):
        plots.confusion_matrix(np.ones((2, 2), int), ["one"])


# ---------------------------------------------------------------------------- predictions


IMAGES = np.arange(4)[:, None, None, None] / 4 * np.ones((1, 1, 3, 3))
LABELS = np.array([0, 1, 1, 0])
SCORES = np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 9.0], [0.0, 5.0]])


def test_predictions():
    figure = plots.predictions(IMAGES, LABELS, SCORES, ["cat", "dog"], count=3)
    assert [axes.get_xlabel() for axes in figure.axes] == [
        "cat  (88%)",
        "cat, is dog",
        "dog  (100%)",
    ]
    for number, axes in enumerate(figure.axes):
        assert (pixels(axes) == number / 4).all()
        framed = to_rgb(axes.spines["left"].get_edgecolor()) == to_rgb(WRONG)
        assert framed == (number == 1)


def test_worst_mistakes():
    figure = plots.worst_mistakes(IMAGES, LABELS, SCORES)
    first, second = figure.axes
    assert first.get_xlabel() == "1, is 0\nloss 5.01"
    assert second.get_xlabel() == "0, is 1\nloss 1.31"
    assert (pixels(first) == 3 / 4).all()
    assert (pixels(second) == 1 / 4).all()
    assert len(plots.worst_mistakes(IMAGES, LABELS, SCORES, count=1).axes) == 1


def test_long_names_are_cut():
    names = ["a name of a class that is long", "short"]
    first, second = plots.worst_mistakes(IMAGES, LABELS, SCORES, names).axes
    assert first.get_xlabel() == "short,\nis a name of a c…\nloss 5.01"
    assert second.get_xlabel() == "a name of a c…,\nis short\nloss 1.31"


def test_no_mistakes():
    figure = plots.worst_mistakes(IMAGES[:1], LABELS[:1], SCORES[:1])
    assert [text.get_text() for text in figure.texts] == ["no mistakes"]
    drawn(figure)


@pytest.mark.parametrize("draw", [plots.predictions, plots.worst_mistakes])
def test_images_without_labels(draw):
    with pytest.raises(ValueError, match=f"{draw.__name__}: 4 labels, but 3 images"):
        draw(IMAGES[:3], LABELS, SCORES)
    with pytest.raises(ValueError, match=rf"{draw.__name__}: labels must have shape \(4,\)"):
        draw(IMAGES, LABELS[:3], SCORES)


def test_names_are_no_formulas():
    names = ["$a", r"\frac{$$}{x}$"]
    drawn(plots.worst_mistakes(IMAGES, LABELS, SCORES, names))
    drawn(plots.confusion_matrix(np.eye(2, dtype=int), names))
    drawn(plots.saliency(models.lenet5(), np.ones((1, 1, 28, 28), np.float32), names=names * 5))
    model = nn.Sequential({"$^$": nn.Linear(4, 2), "$_": nn.ReLU()})
    drawn(plots.ledger(analysis.summary(model, (4,))))


# ---------------------------------------------------------------------------- ledger


def test_ledger():
    summary = analysis.summary(models.lenet5(), (1, 28, 28))
    times = [analysis.LayerTime("conv1", 8, 0.002, 0.003), analysis.LayerTime("fc1", 8, 0.001, 0.0)]
    figure = plots.ledger(summary, times)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == [row.name for row in summary.rows]
    assert titles(figure) == ["Activations", "Parameters", "Time"]
    memory, parameters, time = figure.axes
    assert [bar.get_width() for bar in memory.patches] == [r.activation_bytes for r in summary.rows]
    assert [bar.get_width() for bar in parameters.patches] == [r.parameters for r in summary.rows]
    forward, backward = time.containers
    at = names.index("conv1")
    assert (forward[at].get_width(), backward[at].get_width()) == (0.002, 0.003)
    assert (backward[at].get_x(), backward[at].get_y() + 0.375) == (0.002, at)
    assert sum(bar.get_width() for bar in forward) == pytest.approx(0.003)
    assert texts(time) == ["3 ms forward, 3 ms backward, for 8 images", "5 ms", "1 ms"]
    assert texts(memory)[:3] == ["35.5 kB for an image, 23.5 kB at once", "3.14 kB", "18.8 kB"]
    assert drawn(figure).std() > 0.05


def test_ledger_of_blocks():
    model = nn.Sequential(
        {f"block{i}": nn.Sequential(*[nn.Linear(2, 2) for _ in range(20)]) for i in range(3)}
    )
    figure = plots.ledger(analysis.summary(model, (2,)), analysis.layer_times(model, (2,)))
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == [
        *("input", "block0", "block1", "block2")
    ]
    assert [bar.get_width() for bar in figure.axes[1].patches] == [0, 120, 120, 120]
    assert min(bar.get_width() for bar in figure.axes[2].patches[1:4]) > 0


def test_the_time_of_a_layer_with_several_values_counts_once():
    graph = nn.Graph(
        {
            "pool": (nn.MaxPool2d(2, return_indices=True), "input"),
            "unpool": (nn.MaxUnpool2d(2), "pool:0", "pool:1"),
        }
    )
    times = [analysis.LayerTime("pool", 8, 1.0, 2.0)]
    forward, _ = plots.ledger(analysis.summary(graph, (2, 8, 8)), times).axes[2].containers
    assert [bar.get_width() for bar in forward] == [0, 1, 0, 0]


def test_times_in_seconds():
    summary = analysis.summary(nn.Sequential({"fc": nn.Linear(2, 2)}), (2,))
    figure = plots.ledger(summary, [analysis.LayerTime("fc", 1, 1.5, 0.9996)])
    assert texts(figure.axes[2]) == ["1.5 s forward, 1 s backward, for 1 image", "2.5 s"]


# ---------------------------------------------------------------------------- matplotlib


def test_pyplot_is_left_alone():
    script = (
        "import io, sys; from cnnfast import analysis, models\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from cnnfast.analysis import plots\n"
        "plots.ledger(analysis.summary(models.lenet5(), (1, 28, 28))).savefig(io.BytesIO())\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    assert run_python(script).stdout == "False\n"


def test_without_matplotlib():
    script = "import sys; sys.modules['matplotlib'] = None; import cnnfast.analysis.plots"
    error = run_python(script).stderr.splitlines()[-1]
    assert error == (
        "ImportError: cnnfast.analysis.plots needs the library matplotlib: "
        "python -m pip install 'cnnfast[plot]'"
    )
