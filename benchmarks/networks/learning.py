"""Networks that learn digits in cnnfast and in PyTorch: accuracy, and the time it took.

Both begin with the same weights and see the same batches, in a recipe of ``cnnfast train``: weight
decay, and a learning rate that falls to 0 step by step. Dropout is off, as its choices would
differ. They take turns, epoch by epoch.
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
from cnnfast.data.transforms import RandomCrop
from cnnfast.training import evaluate, train_epoch

MOMENTUM, WEIGHT_DECAY = 0.9, 5e-4
#: The most that mean accuracies may differ.
AIM = 0.002

Batches = Iterator[tuple[np.ndarray, np.ndarray]]


class Recipe(NamedTuple):
    """How a network learns: of so many images, with a frame and shifted by so many pixels."""

    model: str
    images: int
    padding: int
    shift: int
    epochs: int
    batch_size: int
    optimizer: str
    lr: float


RECIPES = (
    Recipe("lenet5", 60_000, 0, 1, 10, 64, "SGD", 0.05),
    Recipe("cifar_resnet20", 10_000, 2, 0, 4, 64, "SGD", 0.1),
    # With SGD it does not begin to learn within hundreds of steps: it has no batch normalisation.
    Recipe("vgg11", 5_000, 2, 0, 2, 64, "Adam", 0.0003),
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
    pupils = {
        "PyTorch": _torch(recipe, model, test, threads),
        "cnnfast": _cnnfast(recipe, model, test),
    }
    seconds = dict.fromkeys(pupils, 0.0)
    augment = RandomCrop(training[0].shape[-1], padding=recipe.shift) if recipe.shift else None
    augmented = {"transform": augment, "workers": int(recipe.shift > 0)}
    loaders = {
        name: DataLoader(*training, recipe.batch_size, shuffle=True, seed=seed, **augmented)
        for name in pupils
    }
    steps = len(loaders["cnnfast"])
    for epoch in tqdm(range(recipe.epochs), f"{recipe.model}, seed {seed}", leave=False):
        rates = recipe.lr * (1 - (epoch + np.arange(steps) / steps) / recipe.epochs)
        for name, pupil in pupils.items():
            start = time.perf_counter()
            pupil.learn(iter(loaders[name]), iter(rates.tolist()))
            seconds[name] += time.perf_counter() - start
    return Run(recipe, seed, {name: pupil.test() for name, pupil in pupils.items()}, seconds)


def _settings(recipe: Recipe) -> dict[str, float]:
    """What both libraries' optimizers are told; the rate is that of each step."""
    momentum = {"momentum": MOMENTUM} if recipe.optimizer == "SGD" else {}
    return {"lr": 1.0, "weight_decay": WEIGHT_DECAY, **momentum}


def _cnnfast(recipe: Recipe, model: nn.Module, test: tuple[np.ndarray, np.ndarray]) -> Pupil:
    model.train()
    optimizer = getattr(optim, recipe.optimizer)(model.parameters(), **_settings(recipe))
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
    kind = getattr(torch.optim, recipe.optimizer)
    optimizer = kind(peer.parameters(), **_settings(recipe), fused=True)
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
        "10,000 test images after learning from its first images, the mean and the range over the",
        "seeds, and the mean time of learning. Both libraries begin with the same weights and see",
        "the same batches of 64, made by cnnfast's loader, in the same recipe: weight decay 0.0005",
        "(SGD with momentum 0.9) and a learning rate that falls to 0 step by step. Dropout is off.",
        "LeNet-5's images are shifted by up to 1 pixel, the others have a frame that makes them",
        "32x32. PyTorch learns in channels-last memory, with fused optimizers. They take turns,",
        "epoch by epoch.",
        "",
        "```",
        heading(facts),
        "```",
        "",
        *table(runs),
    ]


def table(runs: list[Run]) -> list[str]:
    """A Markdown table: accuracies over the seeds, and minutes."""
    rows = [
        "| network | images, epochs | optimizer | seeds | cnnfast | PyTorch | apart | cnnfast, min "
        "| PyTorch, min |",
        "|---" * 9 + "|",
    ]
    for recipe in dict.fromkeys(run.recipe for run in runs):
        of_it = [run for run in runs if run.recipe == recipe]
        ours, theirs = ([run.accuracy[name] for run in of_it] for name in ("cnnfast", "PyTorch"))
        minutes = [mean(r.seconds[name] for r in of_it) / 60 for name in ("cnnfast", "PyTorch")]
        difference = abs(mean(ours) - mean(theirs))
        apart = f"{100 * difference:.2f} %"
        rows.append(
            f"| {recipe.model} | {recipe.images:,}, {recipe.epochs} "
            f"| {recipe.optimizer}, {recipe.lr:g} | {len(of_it)} "
            f"| {_spread(ours)} | {_spread(theirs)} "
            f"| {apart if difference <= AIM else f'**{apart}**'} "
            f"| {minutes[0]:.2f} | {minutes[1]:.2f} |"
        )
    return rows


def _spread(accuracies: list[float]) -> str:
    least, most = 100 * min(accuracies), 100 * max(accuracies)
    return f"{100 * mean(accuracies):.2f} % ({least:.2f} to {most:.2f})"
