"""What is in a report."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cnnfast._config import config
from cnnfast.analysis import confusion_matrix, layer_times, plots, summary
from cnnfast.analysis.ledger import Summary
from cnnfast.analysis.table import quantity
from cnnfast.analysis.wrappers import innermost
from cnnfast.io.atomic import replacing
from cnnfast.nn import Conv2d, Module
from cnnfast.nn.trace import trace
from cnnfast.training.bar import bar
from cnnfast.training.report.observed import Observed, observe
from cnnfast.training.report.page import Section, folded, page, picture, table

_MAPS = 4  # layers whose maps are shown
_TIMED = 8  # images, at most


def write_report(
    path: str | os.PathLike[str],
    model: Module,
    history: Mapping[str, Sequence[float]],
    validation: Iterable[tuple[np.ndarray, np.ndarray]],
    configuration: Mapping[str, Any],
    names: Sequence[str] | None = None,
) -> None:
    """Write a page of HTML about a training: curves, mistakes, what layers see and what they cost.

    The page needs no other file and no network, and runs no script. The times in it are measured
    now, on this machine.

    Parameters
    ----------
    path : str or os.PathLike
        It is there whole, or not at all.
    model : Module
        Takes one input, gives scores (N, classes).
    history : mapping of str to sequence of float
        As `cnnfast.analysis.plots.training_curves` takes it, a `History` for instance; empty, and
        there are no curves.
    validation : iterable of (images, labels)
        Batches as the model takes them, (N, C, H, W) and integers (N,). It is gone through once.
    configuration : mapping
        What to say of the run: names, and values of any kind. Mappings in it are unfolded, under
        names such as "optimizer.lr".
    names : sequence of str, optional
        Of the classes, in place of their numbers.

    Raises
    ------
    ImportError
        On import: matplotlib is missing.
    ValueError
        There are no validation images, the model gives no scores of classes, or there is not one
        name for each class.
    OSError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from cnnfast import data, models
    >>> digits = data.digits()
    >>> loader = data.DataLoader(digits.test_images[:9], digits.test_labels[:9], batch_size=9)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report(f"{folder}/report.html", models.lenet5(), {}, loader, {"seed": 0})
    ...     Path(folder, "report.html").read_text()[:15]
    '<!DOCTYPE html>'
    """
    with replacing(Path(path)) as file:  # first of all: a folder that is not there costs no time
        file.write(_written(model, history, validation, configuration, names).encode())


def _written(
    model: Module,
    history: Mapping[str, Sequence[float]],
    validation: Iterable[tuple[np.ndarray, np.ndarray]],
    configuration: Mapping[str, Any],
    names: Sequence[str] | None,
) -> str:
    seen = observe(model, validation)
    classes = seen.scores.shape[1]
    if names is not None and len(names) != classes:
        raise ValueError(f"write_report: {classes} classes need as many names, got {len(names)}")
    ledger = summary(model, seen.examples.images.shape[1:])
    parts: list[Callable[[], Iterable[Section]]] = [
        partial(_curves, history),
        partial(_filters, model),
        partial(_activations, model, seen, ledger),
        partial(_saliency, model, seen, names),
        partial(_confusion, seen, names),
        partial(_mistakes, seen, names),
        partial(_ledger, model, ledger),
        partial(_configuration, configuration),
    ]
    sections: list[Section] = []
    with bar(len(parts), "report", " parts") as shown:
        for part in parts:
            sections += part()
            if shown is not None:
                shown.update()
    title = f"Training of {configuration['model']}" if "model" in configuration else "Training"
    now = datetime.now().astimezone()
    return page(title, f"{now:%d %B %Y, %H:%M}", _facts(history, seen, ledger), sections)


def _facts(
    history: Mapping[str, Sequence[float]], seen: Observed, ledger: Summary
) -> list[tuple[str, str]]:
    right = float((seen.scores.argmax(axis=1) == seen.labels).mean())
    return [
        ("validation accuracy", f"{right:.2%}"),
        ("validation images", f"{len(seen.labels):,}"),
        ("epochs", f"{max(map(len, history.values()), default=0):,}"),
        ("parameters", quantity(ledger.parameters)),
        ("multiply-adds an image", quantity(ledger.multiply_adds)),
        ("memory to train on one", quantity(ledger.training_bytes, "B")),
    ]


def _curves(history: Mapping[str, Sequence[float]]) -> Iterator[Section]:
    if any(map(len, history.values())):
        drawn = picture(plots.training_curves(history), "Loss and accuracy over the epochs")
        text = "Training is measured while the network learns, validation after each epoch."
        yield Section("Curves", text, [drawn])


def _filters(model: Module) -> Iterator[Section]:
    for name, module, _ in trace(model).calls:
        layer = innermost(module)
        if isinstance(layer, Conv2d):
            drawn = picture(plots.filters(layer.weight.data), f"The filters of {name}")
            yield Section("Filters", f"What the first convolution, {name}, looks for.", [drawn])
            return


def _activations(model: Module, seen: Observed, ledger: Summary) -> list[Section]:
    image = seen.examples.images[0]
    drawn = [
        picture(plots.activations(model, image, name), f"What {name} makes of an image")
        for name in _layers_to_show(ledger)
    ]
    text = "What layers make of an image: the last of each size of maps, and the scores."
    return [Section("Activations", text, drawn)]


def _layers_to_show(ledger: Summary) -> list[str]:
    """The last layer of each of the largest sizes of maps, and the last of all."""
    layers = [row for row in ledger.rows if row.kind != "Input" and ":" not in row.name]
    maps = {row.output_shape[1:]: row.name for row in layers if len(row.output_shape) == 3}
    maps.pop((1, 1), None)
    return [*list(maps.values())[:_MAPS], layers[-1].name]


def _saliency(model: Module, seen: Observed, names: Sequence[str] | None) -> list[Section]:
    guesses = seen.examples.scores.argmax(axis=1)
    figure = plots.saliency(model, seen.examples.images, guesses, names)
    text = (
        "Images, and how fast the highest score changes with each pixel (Simonyan et al., 2013). "
        "Beneath is the class that has it."
    )
    return [Section("Saliency", text, [picture(figure, "Images above their saliency maps")])]


def _confusion(seen: Observed, names: Sequence[str] | None) -> list[Section]:
    guesses, classes = seen.scores.argmax(axis=1), seen.scores.shape[1]
    figure = plots.confusion_matrix(confusion_matrix(seen.labels, guesses, classes), names)
    text = "In each row the images of a class, in each column what they were taken for."
    return [Section("Confusion", text, [picture(figure, "Confusion matrix")])]


def _mistakes(seen: Observed, names: Sequence[str] | None) -> list[Section]:
    figure = plots.worst_mistakes(*seen.mistakes, names)
    text = "Images with the highest loss: what they were taken for, and what they are."
    return [Section("Worst mistakes", text, [picture(figure, "Images that were taken for others")])]


def _ledger(model: Module, ledger: Summary) -> list[Section]:
    times = layer_times(model, ledger.rows[0].output_shape, batch_size=_TIMED)
    text = (
        "What each layer takes. What lies in the memory of what it is made of takes none; times "
        "are those of each layer alone."
    )
    figure = picture(plots.ledger(ledger, times), "Memory, parameters and time of each layer")
    return [Section("Ledger", text, [figure, folded("all figures", str(ledger))])]


def _configuration(configuration: Mapping[str, Any]) -> list[Section]:
    tables = [table("Run", unfolded(configuration)), table("Machine", config().items())]
    return [Section("Configuration", "What was run, and on what.", tables)]


def unfolded(configuration: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Write mappings within mappings as one.

    Examples
    --------
    >>> list(unfolded({"optimizer": {"lr": 0.1}, "seed": 0}))
    [('optimizer.lr', '0.1'), ('seed', '0')]
    """
    for name, value in configuration.items():
        if isinstance(value, Mapping):
            yield from unfolded(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", str(value)
