"""Networks that learn digits in cnnfast and in PyTorch: accuracy, and the time it took.

Both begin with the same weights and see the same batches, in the recipe of ``cnnfast train``: SGD
with momentum and weight decay, and a learning rate that falls to 0 step by step. Dropout is off,
as its choices would differ. They take turns, epoch by epoch.
"""

from __future__ import annotations

import importlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

import cnnfast
from benchmarks.report import heading
from cnnfast import models, nn, optim
from cnnfast.data import DataLoader, mnist
from cnnfast.training import evaluate, train_epoch

MOMENTUM, WEIGHT_DECAY = 0.9, 5e-4
#: The most that mean accuracies may differ.
AIM = 0.002

Batches = Iterator[tuple[np.ndarray, np.ndarray]]


class Recipe(NamedTuple):
    """How a network learns: of so many images, padded by so many pixels on every side."""

    model: str
    images: int
    padding: int
    epochs: int
    batch_size: int
    lr: float


RECIPES = (
    Recipe("lenet5", 60_000, 0, 2, 64, 0.05),
    Recipe("cifar_resnet20", 10_000, 2, 4, 64, 0.1),
    Recipe("vgg11", 2_500, 2, 2, 64, 0.01),
)


class Run(NamedTuple):
    """What one seed gave: test accuracy and seconds of learning, by library."""

    recipe: Recipe
    seed: int
    accuracy: dict[str, float]
    seconds: dict[str, float]


class Pupil(NamedTuple):
    """A network in a library: learns from batches, at these rates; tells its accuracy."""

    learn: Callable[[Batches, Iterator[float]], None]
    test: Callable[[], float]


def measure(root: Path, seeds: int, threads: int, only: str = "") -> Iterator[Run]:
    """Let networks learn MNIST, or a set in such files, from several seeds."""
    dataset = mnist(root)
    for recipe in RECIPES:
        if not re.search(only, recipe.model):
            continue
        around = [(0, 0), (0, 0), *[(recipe.padding,) * 2] * 2]
        images = np.pad(dataset.train_images[: recipe.images], around)
        test = np.pad(dataset.test_images, around), dataset.test_labels
        labels = dataset.train_labels[: recipe.images]
        for seed in range(seeds):
            yield learn(recipe, seed, (images, labels), test, threads)


def learn(
    recipe: Recipe,
    seed: int,
    training: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    threads: int,
) -> Run:
    """Let both libraries learn from one seed."""
    cnnfast.set_num_threads(threads)
    model = getattr(models, recipe.model)(10, 1, rng=np.random.default_rng(seed))
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    # PyTorch first: it takes a copy of the weights before they learn.
    pupils = {"PyTorch": _torch(recipe, model, test, threads), "cnnfast": _cnnfast(model, test)}
    seconds = dict.fromkeys(pupils, 0.0)
    loaders = {
        name: DataLoader(*training, recipe.batch_size, shuffle=True, seed=seed) for name in pupils
    }
    steps = len(loaders["cnnfast"])
    for epoch in tqdm(range(recipe.epochs), f"{recipe.model}, seed {seed}", leave=False):
        rates = recipe.lr * (1 - (epoch + np.arange(steps) / steps) / recipe.epochs)
        for name, pupil in pupils.items():
            start = time.perf_counter()
            pupil.learn(iter(loaders[name]), iter(rates.tolist()))
            seconds[name] += time.perf_counter() - start
    return Run(recipe, seed, {name: pupil.test() for name, pupil in pupils.items()}, seconds)


def _cnnfast(model: nn.Module, test: tuple[np.ndarray, np.ndarray]) -> Pupil:
    model.train()
    optimizer = optim.SGD(model.parameters(), 1.0, MOMENTUM, weight_decay=WEIGHT_DECAY)
    criterion = nn.CrossEntropyLoss()

    def learn(batches: Batches, rates: Iterator[float]) -> None:
        def at_their_rates() -> Batches:
            for batch, optimizer.lr in zip(batches, rates, strict=True):
                yield batch

        train_epoch(model, at_their_rates(), criterion, optimizer)

    return Pupil(learn, lambda: evaluate(model, *test))


def _torch(
    recipe: Recipe, model: nn.Module, test: tuple[np.ndarray, np.ndarray], threads: int
) -> Pupil:
    torch: Any = importlib.import_module("torch")
    networks = importlib.import_module("benchmarks.networks.torch_networks")
    torch.set_num_threads(threads)
    peer = networks.digits_network(recipe.model)
    state = {name: torch.from_numpy(array.copy()) for name, array in model.state_dict().items()}
    peer.load_state_dict(state)
    peer = peer.to(memory_format=torch.channels_last)
    decay = {"momentum": MOMENTUM, "weight_decay": WEIGHT_DECAY, "fused": True}
    optimizer = torch.optim.SGD(peer.parameters(), lr=1.0, **decay)
    criterion = torch.nn.CrossEntropyLoss()

    def tensor(images: np.ndarray) -> Any:
        return torch.from_numpy(images).to(memory_format=torch.channels_last)

    def learn(batches: Batches, rates: Iterator[float]) -> None:
        peer.train()
        (group,) = optimizer.param_groups
        with torch.enable_grad():  # which the other benchmarks switch off
            for (images, labels), group["lr"] in zip(batches, rates, strict=True):
                optimizer.zero_grad()
                criterion(peer(tensor(images)), torch.from_numpy(labels)).backward()
                optimizer.step()

    def accuracy() -> float:
        peer.eval()
        images, labels = test
        parts = np.array_split(np.arange(len(images)), max(1, len(images) // 256))
        with torch.inference_mode():
            scores = np.concatenate([peer(tensor(images[part])).numpy() for part in parts])
        return float((scores.argmax(axis=1) == labels).mean())

    return Pupil(learn, accuracy)


def line(run: Run) -> str:
    """One run in words."""
    parts = [
        f"{name} {100 * run.accuracy[name]:.2f} % in {run.seconds[name]:.1f} s"
        for name in sorted(run.accuracy, reverse=True)
    ]
    return f"{run.recipe.model}, seed {run.seed}: {', '.join(parts)}"


def section(facts: dict[str, str], runs: list[Run]) -> list[str]:
    """The section of the page, as Markdown."""
    return [
        "## Learning",
        "",
        "Written by `python -m benchmarks learning --data FOLDER --document`. Accuracy on MNIST's",
        "10,000 test images after learning from its first images, the mean over the seeds, and",
        "seconds of learning. Both libraries begin with the same weights and see the same batches",
        "of 64 in the same recipe: SGD with momentum 0.9 and weight decay 0.0005, and a learning",
        "rate that falls to 0 step by step. Dropout is off. Images are padded to 32x32 but for",
        "LeNet-5. PyTorch learns in channels-last memory, with its fused optimizer.",
        "",
        "```",
        heading(facts),
        "```",
        "",
        *table(runs),
    ]


def table(runs: list[Run]) -> list[str]:
    """A Markdown table: mean accuracies over the seeds, and seconds."""
    rows = [
        "| network | images, epochs | seeds | cnnfast | PyTorch | apart | cnnfast, s "
        "| PyTorch, s |",
        "|---" * 8 + "|",
    ]
    for recipe in dict.fromkeys(run.recipe for run in runs):
        of_it = [run for run in runs if run.recipe == recipe]
        ours, theirs = (mean(r.accuracy[n] for r in of_it) for n in ("cnnfast", "PyTorch"))
        seconds = [mean(r.seconds[name] for r in of_it) for name in ("cnnfast", "PyTorch")]
        apart = f"{100 * abs(ours - theirs):.2f} %"
        rows.append(
            f"| {recipe.model} | {recipe.images:,}, {recipe.epochs} | {len(of_it)} "
            f"| {100 * ours:.2f} % | {100 * theirs:.2f} % "
            f"| {apart if abs(ours - theirs) <= AIM else f'**{apart}**'} "
            f"| {seconds[0]:.1f} | {seconds[1]:.1f} |"
        )
    return rows
