"""What runs on every rank: python -m tests.distributed.programs NAME ARGUMENTS."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnnfast
from cnnfast import data, distributed, models, nn, optim
from cnnfast.distributed.buckets import GradientSum
from cnnfast.nn.trace import trace
from cnnfast.training import Callback, Trainer

IMAGES, CLASSES = 23, 5
BATCH = 7  # the last one of 2 images, fewer than 3 ranks
FIT_BATCH = 5  # the last one of 3


def images(dtype: type = np.float32) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    x = rng.standard_normal((IMAGES, 3, 8, 8)) + 2
    labels = rng.integers(0, CLASSES, IMAGES)
    x += rng.standard_normal((CLASSES, 3, 8, 8))[labels]  # so that there is something to learn
    return x.astype(dtype), labels


def loader(batch_size: int = BATCH, dtype: type = np.float32) -> data.DataLoader:
    return data.DataLoader(*images(dtype), batch_size, shuffle=True, seed=1)


def network(seed: int) -> nn.Module:
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False, rng=rng),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Residual(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, rng=rng), nn.BatchNorm2d(8))),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, CLASSES, rng=rng),
    )


def deep_network(seed: int) -> nn.Module:
    """In float64: with so many layers, float32's rounding grows to 1e-3 within a few steps."""
    return models.cifar_resnet20(CLASSES, rng=np.random.default_rng(seed), dtype=np.float64)


def learn(
    model: nn.Module,
    batches: Iterable[tuple[np.ndarray, np.ndarray]],
    mean: Callable[[float, float], float],
    optimizer: optim.Optimizer | None = None,
    epochs: int = 3,
) -> list[float]:
    """Train; give the loss of each step."""
    if optimizer is None:
        optimizer = momentum(model)
    criterion, losses = nn.CrossEntropyLoss(), []
    for _ in range(epochs):
        for x, labels in batches:
            scores, backward = model.forward(x)
            loss, gradient = criterion(scores, labels)
            backward(gradient, input_grad=False)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(mean(loss, len(x)))
    return losses


def momentum(model: nn.Module) -> optim.SGD:
    return optim.SGD(model.parameters(), lr=0.01, momentum=0.9)


# ---------------------------------------------------------------------------- agreement


def agreement(out: str) -> None:
    """Train on this number of ranks, from weights that only rank 0 has; save what comes of it."""
    world = distributed.init()
    model = distributed.parallel(network(seed=world.rank), sync_batchnorm=True)
    losses = learn(model, distributed.shard(loader()), world.mean)
    state = model.state_dict()
    for name, mine in state.items():
        theirs = mine.copy()
        world.broadcast_array(theirs)
        np.testing.assert_array_equal(mine, theirs, err_msg=name)
    if world.rank == 0:
        np.savez(out, losses=losses, **state)


def deep_agreement(out: str) -> None:
    world = distributed.init()
    model = distributed.parallel(deep_network(seed=world.rank), sync_batchnorm=True)
    losses = learn(model, distributed.shard(loader(dtype=np.float64)), world.mean, epochs=1)
    if world.rank == 0:
        np.save(out, losses)


def threads() -> None:
    world = distributed.init()
    sys.stdout.write(f"{world.rank} {cnnfast.get_num_threads()}\n")


# ---------------------------------------------------------------------------- on two ranks


def checks() -> None:
    """Run every function below whose name begins with check; for 2 ranks."""
    for name, check in globals().items():
        if name.startswith("check_"):
            check(distributed.init())
            sys.stdout.write(f"{name}\n")  # at once: two ranks write


class Branch(nn.Module):
    """y = a(x) + b(x), or only one of them: what `use` says."""

    def __init__(self, use: str = "ab") -> None:
        rng = np.random.default_rng(3)
        self.a, self.b = nn.Linear(2, 1, rng=rng), nn.Linear(2, 1, rng=rng)
        self.use = use

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, nn.Backward]:
        parts = [getattr(self, name).forward(x) for name in self.use]

        def run(grad: np.ndarray, input_grad: bool) -> np.ndarray | None:
            gradients = [backward(grad, input_grad) for _, backward in parts]
            return sum(gradients) if input_grad else None

        return sum(y for y, _ in parts), nn.Backward(run)


def backward_of(model: nn.Module, x: np.ndarray) -> np.ndarray | None:
    """Take the mean of the outputs for a loss."""
    y, backward = model.forward(x)
    return backward(np.full_like(y, 1 / len(y)))


X = np.arange(6, dtype=np.float32).reshape(3, 2)


def mine(world: distributed.World) -> np.ndarray:
    """One of three images on rank 0, two on rank 1."""
    return X[:1] if world.rank == 0 else X[1:]


def check_mean_broadcast_and_barrier(world: distributed.World) -> None:
    assert world.size == 2
    assert world.mean(world.rank, 1 + 3 * world.rank) == 4 / 5
    assert world.broadcast({"rank": world.rank, "of": [1, 2]}) == {"rank": 0, "of": [1, 2]}
    world.barrier()


def check_gradient_of_the_mean_over_all_images(world: distributed.World) -> None:
    model = distributed.parallel(Branch())
    gx = backward_of(model, mine(world))
    np.testing.assert_allclose(model.module.a.weight.grad, X.mean(0, keepdims=True))
    np.testing.assert_allclose(model.module.b.bias.grad, [1])
    both = model.module.a.weight.data + model.module.b.weight.data
    np.testing.assert_allclose(gx, np.repeat(both / 3, len(gx), 0), rtol=1e-6)


def check_gradients_gather_until_zeroed(world: distributed.World) -> None:
    model = distributed.parallel(Branch())
    for times in (1, 2, 3):
        backward_of(model, mine(world))
        np.testing.assert_allclose(model.module.a.weight.grad, times * X.mean(0, keepdims=True))
    model.zero_grad()
    backward_of(model, mine(world))
    np.testing.assert_allclose(model.module.a.weight.grad, X.mean(0, keepdims=True))


def check_what_one_rank_or_none_uses(world: distributed.World) -> None:
    model = distributed.parallel(Branch("a"))
    for _ in range(2):
        model.zero_grad()
        backward_of(model, X)
        assert model.module.b.weight.grad is None
        np.testing.assert_allclose(model.module.a.weight.grad, X.mean(0, keepdims=True))
    model.module.use = "ab" if world.rank == 1 else "a"
    model.zero_grad()
    backward_of(model, X)
    np.testing.assert_allclose(model.module.b.weight.grad, X.mean(0, keepdims=True) / 2)


def check_a_layer_used_twice(world: distributed.World) -> None:
    layer = nn.Linear(2, 2, rng=np.random.default_rng(0))
    alone = nn.Sequential(layer, layer)
    backward_of(alone, X)
    wanted = layer.weight.grad
    layer.zero_grad()
    model = distributed.parallel(alone)
    for _ in range(3):
        model.zero_grad()
        backward_of(model, mine(world))
        np.testing.assert_allclose(layer.weight.grad, wanted, rtol=1e-5)


def check_a_layer_used_more_often_than_before(world: distributed.World) -> None:
    model = distributed.parallel(Branch())
    backward_of(model, X)
    backward_of(model, X)
    model.module.use = "abb"
    with pytest.raises(RuntimeError, match="came in 2 parts, after 1 in the first pass"):
        backward_of(model, X)


def check_frozen_and_free_again(world: distributed.World) -> None:
    model = distributed.parallel(Branch())
    for frozen in (True, False, True):
        model.module.a.requires_grad_(not frozen)
        model.zero_grad()
        backward_of(model, mine(world))
        assert (model.module.a.weight.grad is None) == frozen
        for layer in [model.module.b] if frozen else [model.module.a, model.module.b]:
            np.testing.assert_allclose(layer.weight.grad, X.mean(0, keepdims=True))
    model.module.b = nn.Linear(2, 1)
    backward_of(model, mine(world))
    np.testing.assert_allclose(model.module.b.weight.grad, X.mean(0, keepdims=True))


def check_buckets_leave_while_backward_runs(world: distributed.World) -> None:
    layers = [nn.Linear(4, 4) for _ in range(5)]
    parameters = [p for layer in layers for p in layer.parameters()]
    gradients = GradientSum(world, bucket_bytes=80)
    order = parameters[::-1] if world.rank == 0 else parameters
    under_way = []
    for step in range(3):
        for p in parameters:
            p.grad = None
        with gradients.of_a_pass(parameters):
            for p in order if step == 0 else parameters[::-1]:
                p.accumulate(np.full(p.shape, world.rank + 1, p.dtype))
                under_way.append(len(gradients._sent))
        assert all((p.grad == 3).all() and p.on_gradient is None for p in parameters)
    # A layer a bucket, in the order of rank 0; in the first pass nothing is known yet.
    assert under_way == [0] * 10 + [0, 1, 1, 2, 2, 3, 3, 4, 4, 5] * 2, under_way


def check_statistics_are_averages(world: distributed.World) -> None:
    layer = nn.BatchNorm2d(3, momentum=1.0)
    model = distributed.parallel(layer)
    x, _ = images()
    part = x[:5] if world.rank == 0 else x[5:]
    y, backward = model.forward(part)
    np.testing.assert_allclose(y.mean((0, 2, 3)), 0, atol=1e-5)  # by this rank's own moments
    backward(np.ones_like(y))
    np.testing.assert_allclose(layer.running_mean, x.mean((0, 2, 3)), rtol=1e-5)
    var = (5 * x[:5].var((0, 2, 3)) + 18 * x[5:].var((0, 2, 3))) / 23
    np.testing.assert_allclose(layer.running_var, var, rtol=5e-3)  # but for n / (n - 1)
    assert int(layer.num_batches_tracked) == 1


def check_one_value_a_channel_on_a_rank(world: distributed.World) -> None:
    layer = nn.BatchNorm1d(2, eps=0)
    model = distributed.parallel(layer, sync_batchnorm=True)
    x = X[:2]
    y, backward = model.forward(x[world.rank :][:1])
    np.testing.assert_allclose(y, [[2 * world.rank - 1.0] * 2])
    np.testing.assert_allclose(layer.weight.data, 1)
    backward(np.ones_like(y))
    np.testing.assert_allclose(layer.weight.grad, 0)
    np.testing.assert_allclose(dict(model.named_buffers())["running_var"], 0.9 + 0.1 * 2)
    with pytest.raises(ValueError, match="at least 2 values a channel"):
        # Not a batch that one process could take either.
        distributed.SyncBatchNorm(nn.BatchNorm1d(2)).forward(X[world.rank :][:0])


def check_wrapped_networks_are_seen_through(world: distributed.World) -> None:
    model = distributed.parallel(nn.Sequential(nn.Linear(2, 1), nn.ReLU()))
    assert [call.name for call in trace(model).calls] == ["0", "1"]
    np.testing.assert_array_equal(model(X), model.module(X))
    assert not next(model.eval().modules()).training


# ---------------------------------------------------------------------------- failures


def failing(how: str, folder: str) -> None:
    """Rank 0 saves the weights before each of two steps; then the last rank comes to an end."""
    world = distributed.init()
    ends = {
        "raises": lambda: 1 / 0,
        "raises while rank 0 works": lambda: 1 / 0,
        "exits": lambda: sys.exit(3),
        "exits hard": lambda: os._exit(3),
        "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    }
    model = distributed.parallel(nn.Linear(2, 1 + (how == "differs") * world.rank))
    for step in range(100):
        if step == 2 and how == "raises while rank 0 works" and world.rank == 0:
            time.sleep(100)
        if step == 2 and world.rank == world.size - 1:
            if how == "runs out of batches":
                return
            ends[how]()
        if step < 2 and world.rank == 0:
            cnnfast.save_weights(model.state_dict(), Path(folder) / f"{step}.npz")
        backward_of(model, X)
        world.barrier()


def ending(folder: str) -> None:
    """Rank 0 has work left to do, and nobody disturbs it."""
    world = distributed.init()
    backward_of(distributed.parallel(nn.Linear(2, 1)), X)
    if world.rank == 0:
        time.sleep(1)
        (Path(folder) / "report").touch()


# ---------------------------------------------------------------------------- the Trainer


class InterruptRank1(Callback):
    """Ctrl-C on one rank, after three steps."""

    def on_step_end(self, trainer: Trainer) -> None:
        if trainer.step == 3 and trainer.world is not None and trainer.world.rank == 1:
            signal.raise_signal(signal.SIGINT)


class SpoilRank1(Callback):
    """An image that is not finite, on one rank."""

    def on_step_end(self, trainer: Trainer) -> None:
        if trainer.step == 3 and trainer.world is not None and trainer.world.rank == 1:
            trainer.train.loader.images[:] = np.inf


def trainer(model: nn.Module, folder: str | None, **options: Any) -> Trainer:
    optimizer = momentum(model)
    schedule = optim.ReduceLROnPlateau(optimizer, patience=0, factor=0.5, threshold=0.5)
    return Trainer(
        model,
        optimizer,
        nn.CrossEntropyLoss(),
        schedule=schedule,
        clip_norm=1.0,
        checkpoints=folder,
        progress=False,
        **options,
    )


def fitting(folder: str, epochs: str, callback: str = "Callback") -> None:
    """Train so many epochs in all, from the checkpoint in the folder if there is one."""
    world = distributed.init()
    model = distributed.parallel(network(seed=world.rank), sync_batchnorm=True)
    training = trainer(model, folder, world=world, callbacks=[globals()[callback]()])
    batches = distributed.shard(loader(FIT_BATCH))
    history = training.fit(batches, loader(), int(epochs), resume=True)
    figures = {name: history[name].tolist() for name in history if name != "seconds"}
    assert figures == world.broadcast(figures)
    if world.rank == 0:
        print(json.dumps(figures))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
