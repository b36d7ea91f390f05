"""A training run, and a program that kills it again and again until it is complete.

Everything that a checkpoint must keep is in it: dropout, batch normalisation, Adam's moments, a
schedule that counts steps, shuffled and transformed images, a callback that draws random numbers.
"""

from __future__ import annotations

import functools
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np

from cnnfast import data, nn, optim
from cnnfast.io import save_weights
from cnnfast.training import Callback, Checkpoints, EarlyStopping, Trainer

EPOCHS = 3
STEPS = 5  # in each
FILE_EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"}

digits = functools.cache(data.digits)


class Noise(Callback):
    """Adds noise to the gradients."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(5)

    def on_backward_end(self, trainer):
        for p in trainer.model.parameters():
            p.grad += 1e-3 * self.rng.standard_normal(p.shape, p.dtype)

    def state_dict(self):
        return {"rng": self.rng.bit_generator.state}

    def load_state_dict(self, state):
        self.rng.bit_generator.state = state["rng"]


def network(seed=0, width=8):
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        {
            "conv": nn.Conv2d(1, width, 3, stride=2, rng=rng),
            "norm": nn.BatchNorm2d(width),
            "relu": nn.ReLU(),
            "pool": nn.MaxPool2d(3, 3),
            "flatten": nn.Flatten(),
            "drop": nn.Dropout(0.3, rng=rng),
            "fc": nn.Linear(width * 16, 10, rng=rng),
        }
    )


def batches(images=32 * STEPS, **options):
    options = {"transform": data.transforms.RandomCrop(28, padding=2), "seed": 3} | options
    return data.DataLoader(*(part[:images] for part in digits()[:2]), 32, shuffle=True, **options)


def make_trainer(folder=None, *callbacks, model=None, epochs=EPOCHS, **settings):
    model = model or network()
    optimizer = optim.Adam(model.parameters(), 0.003)
    schedule = optim.SequentialLR(
        optimizer,
        [
            optim.LinearLR(optimizer, 0.1, total_iters=4),
            optim.CosineAnnealingLR(optimizer, STEPS * epochs - 4),
        ],
        [4],
    )
    if folder is not None:
        settings = {"keep": 2, "every_steps": 3} | settings
        folder = Checkpoints(folder, **settings)
    return Trainer(
        model,
        optimizer,
        nn.CrossEntropyLoss(label_smoothing=0.1),
        schedule=schedule,
        schedule_every="step",
        clip_norm=1.0,
        checkpoints=folder,
        callbacks=[Noise(), EarlyStopping(patience=30), *callbacks],
    )


def validation_batches(**options):
    """Give other images in each epoch, too."""
    options = {"transform": data.transforms.RandomCrop(28, padding=1), "seed": 4} | options
    return data.DataLoader(*(part[:300] for part in digits()[2:]), 100, shuffle=True, **options)


def run(folder=None, *callbacks, train=None, validation=None, epochs=EPOCHS, **settings):
    """Train from the start, or from where the checkpoints in a folder are."""
    trainer = make_trainer(folder, *callbacks, epochs=epochs, **settings)
    validation = validation or validation_batches()
    trainer.fit(train or batches(), validation, epochs, resume=folder is not None)
    return trainer


# ---------------------------------------------------------------------------- killing


def complete(folder, epochs, file_events=None):
    """Run to the end in a child process that dies at so many file operations, if ever."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        if file_events is not None:
            seen = iter(range(file_events))

            def die(event, arguments):
                ours = event in FILE_EVENTS and str(folder) in str(arguments[0])
                if ours and next(seen, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(die)
        trainer = run(folder / "checkpoints", epochs=epochs)
        trainer.history.save(folder / "history.csv")
        save_weights(trainer.model.state_dict(), folder / "final.npz")
        code = 0
    finally:
        os._exit(code)


def main(folder, epochs, kills):
    """Make runs until so many children were killed; each goes on until it is complete.

    One child in two dies at a random time, the others at a random file operation.
    """
    digits()
    start = time.perf_counter()
    os.waitpid(complete(folder / "reference", epochs), 0)
    whole = time.perf_counter() - start
    rng = random.Random(0)
    killed, number = 0, 0
    while killed < kills:
        number += 1
        name = folder / f"run-{number}"
        status = None
        while status != 0:
            if rng.random() < 0.5:
                child = complete(name, epochs)
                time.sleep(rng.uniform(0, whole / 2))
                os.kill(child, signal.SIGKILL)
            else:
                child = complete(name, epochs, rng.randrange(100))
            status = os.waitpid(child, 0)[1]
            if status not in (0, signal.SIGKILL):
                sys.exit(f"a resumed run failed with {status}")
            killed += status != 0
    print(number, killed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
