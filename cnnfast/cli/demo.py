"""``cnnfast demo``: the first thing to run; what the package does, shown on this machine."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cnnfast._config import config
from cnnfast.cli import CommandError
from cnnfast.cli.datasets import Data
from cnnfast.cli.learning import Learning
from cnnfast.cli.race import KERNELS, Layer, Task, UnequalError, measure, table
from cnnfast.cli.settings import Settings
from cnnfast.cli.text import percent
from cnnfast.data import Dataset, digits
from cnnfast.training import History, predict_scores
from cnnfast.training.bar import bar

# Without shifts and weight decay the test accuracy is a point lower: 5,000 images are few.
SETTINGS = Settings(epochs=12, batch_size=32, lr=0.03, weight_decay=0.001, shift=2)
# What the kernels are raced on, and how long each, about.
LAYERS = (
    Layer("LeNet-5 conv2", n=64, c=6, h=14, w=14, k=16, r=5, s=5),
    Layer("VGG-16 conv2_1", n=1, c=64, h=56, w=56, k=64, r=3, s=3, padding=1),
    Layer("LeNet-5 pool1", n=64, c=6, h=28, w=28, r=2, s=2, stride=2),
    Layer("ResNet-18 pool1", n=1, c=64, h=112, w=112, r=3, s=3, stride=2, padding=1),
)
RACE_SECONDS = 0.3


def run(options: argparse.Namespace) -> None:
    _require_extra()
    options.out.mkdir(parents=True, exist_ok=True)
    dataset = digits()
    learning = Learning(Data.of(dataset), replace(SETTINGS, seed=options.seed))
    _introduce(learning, dataset)
    history = learning.fit()
    print(f"\ntest accuracy {percent(history['validation_accuracy'][-1])}\n", flush=True)

    pictures = _draw(options.out, learning, dataset, history)
    print("How much faster the compiled kernels are, measured here and now:\n", flush=True)
    print(f"{_race()}\n")
    print("Pictures of the training, the learned filters and some predictions:")
    for path in pictures:
        print(f"  {path}")


def _require_extra() -> None:
    """Raise before any work is done, rather than after it."""
    try:
        import matplotlib  # noqa: F401
        import tqdm  # noqa: F401
    except ImportError as error:
        raise CommandError(
            f'the demo needs {error.name}: python -m pip install "cnnfast[demo]"'
        ) from error


def _introduce(learning: Learning, dataset: Dataset) -> None:
    weights = sum(parameter.size for parameter in learning.model.parameters())
    facts = config()
    isa, threads = (facts[name].partition(" (")[0] for name in ("instruction set", "threads"))
    print(f"cnnfast {facts['cnnfast']} on {facts['processor']}: {isa}, threads: {threads}")
    print(
        f"LeNet-5, a network of {weights:,} weights, learns {len(dataset.train_images):,} "
        f"handwritten digits and is tested on {len(dataset.test_images):,} others.\n",
        flush=True,
    )


def _draw(folder: Path, learning: Learning, dataset: Dataset, history: History) -> list[Path]:
    """Save the pictures, and give their paths."""
    from cnnfast.analysis import plots

    tested = dataset.test_images, dataset.test_labels
    scores = predict_scores(learning.model, dataset.test_images)
    figures = {
        "training.png": plots.training_curves(history.to_dict()),
        "filters.png": plots.filters(learning.model.state_dict()["conv1.weight"]),
        "predictions.png": plots.predictions(*tested, scores),
        "mistakes.png": plots.worst_mistakes(*tested, scores),
    }
    for name, figure in figures.items():
        figure.savefig(folder / name)
    return [folder / name for name in figures]


def _race() -> str:
    """Measure every kernel on two small layers, in about ten seconds, and give the table."""
    rng = np.random.default_rng(0)
    tasks = [Task(kernel, layer, rng) for layer in LAYERS for kernel in layer.kernels]
    tasks.sort(key=lambda task: KERNELS.index(task.kernel))
    try:
        return table([measure(task, RACE_SECONDS, RACE_SECONDS) for task in _showing(tasks)])
    except UnequalError as error:
        raise CommandError(f"a compiled kernel gives a wrong result: {error}") from error


def _showing(tasks: Sequence[Task]) -> Iterator[Task]:
    with bar(len(tasks), "racing", " kernels") as shown:
        for task in tasks:
            yield task
            if shown is not None:
                shown.update()
