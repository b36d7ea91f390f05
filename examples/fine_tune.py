"""Fine-tuning: a network that knows some classes learns others from few images.

    python examples/fine_tune.py
    python examples/fine_tune.py --model cifar_resnet20 --images 1000 --seeds 3
    python examples/fine_tune.py --model resnet18 --weights resnet18.npz --zoom 2

Without a file of weights, the network first learns the digits 0 to 4, from all bundled images of
them. Then it gets a new head for the digits 5 to 9 and a few images of these: first the head learns
on what the frozen rest makes of them, then everything does. Beside it learns the same network from
nothing, from the same images and as long.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import cnnfast
from cnnfast import models
from cnnfast.data import DataLoader, Dataset, digits
from cnnfast.nn import CrossEntropyLoss, Linear, Module
from cnnfast.optim import SGD
from cnnfast.training import evaluate, train_epoch


def classes(first: int, last: int, dataset: Dataset) -> Dataset:
    """Select the images of some classes; their labels begin at 0."""
    parts = []
    for images, labels in (dataset[:2], dataset[2:]):
        chosen = (labels >= first) & (labels <= last)
        parts += [images[chosen], labels[chosen] - first]
    return Dataset(*parts)


def fit(dataset: Dataset, channels: int, zoom: int) -> Dataset:
    """Make the images larger, and as many-coloured as a network wants them."""
    train, train_labels, test, test_labels = dataset
    train, test = (
        images.repeat(zoom, axis=2).repeat(zoom, axis=3).repeat(channels, axis=1)
        for images in (train, test)
    )
    return Dataset(train, train_labels, test, test_labels)


def load(name: str, path: Path) -> Module:
    """Make a network with the weights of a file, for as many channels and classes as these."""
    state = cnnfast.load_weights(path)
    first, *_, last = state.values()
    model = getattr(models, name)(num_classes=len(last), in_channels=first.shape[1])
    model.load_state_dict(state)
    return model


def make(name: str, channels: int, rng: np.random.Generator) -> Module:
    """Make a network with random weights for five classes."""
    return getattr(models, name)(num_classes=5, in_channels=channels, rng=rng)


def train(model: Module, dataset: Dataset, epochs: int, lr: float, seed: int) -> float:
    """Let those parameters learn that are not frozen, and give the accuracy in the end.

    The rate falls from epoch to epoch.
    """
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = SGD(learning, lr=lr, momentum=0.9)
    images, labels = dataset.train_images, dataset.train_labels
    loader = DataLoader(images, labels, batch_size=32, shuffle=True, seed=seed)
    for epoch in range(epochs):
        optimizer.lr = lr * (1 - epoch / epochs)
        train_epoch(model, loader, CrossEntropyLoss(), optimizer)
    return evaluate(model, dataset.test_images, dataset.test_labels)


def fine_tune(model: Module, few: Dataset, epochs: int, rng: np.random.Generator) -> list[float]:
    """Let a new head learn, then all layers; give the accuracy after either."""
    model.requires_grad_(False)
    model.eval()  # running statistics and dropout rest, too
    model.head = Linear(model.head.in_features, 5, rng=rng)
    seed = int(rng.integers(2**32))
    head = train(model, few, epochs, 0.01, seed)
    model.requires_grad_()
    model.train()
    return [head, train(model, few, epochs, 0.01, seed)]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Fine-tune a network on other digits.")
    parser.add_argument("--model", default="lenet5", help="of cnnfast.models; default: %(default)s")
    parser.add_argument("--weights", type=Path, help="its weights; else it learns 0 to 4 first")
    parser.add_argument("--zoom", type=int, default=1, help="enlarge images; default: %(default)s")
    parser.add_argument("--images", type=int, default=100, help="of 5 to 9; default: %(default)s")
    parser.add_argument("--epochs", type=int, default=5, help="of each step; default: %(default)s")
    parser.add_argument("--seeds", type=int, default=1, help="repetitions; default: %(default)s")
    options = parser.parse_args(argv)

    for seed in range(options.seeds):
        rng = np.random.default_rng(seed)
        model = load(options.model, options.weights) if options.weights else None
        channels = next(model.parameters()).shape[1] if model else 1
        dataset = fit(digits(), channels, options.zoom)
        if model is None:
            model = make(options.model, channels, rng)
            known = train(model, classes(0, 4, dataset), options.epochs, 0.01, seed)
            print(f"digits 0 to 4, all images:       {known:.1%}")

        images, labels, *test = classes(5, 9, dataset)
        few = Dataset(images[: options.images], labels[: options.images], *test)
        head, whole = fine_tune(model, few, options.epochs, rng)
        nothing = make(options.model, channels, rng)
        scratch = train(nothing, few, 2 * options.epochs, 0.01, seed)
        print(
            f"digits 5 to 9, {len(few[0])} images: head {head:.1%}, then all layers {whole:.1%}; "
            f"from nothing {scratch:.1%}"
        )


if __name__ == "__main__":
    main()
