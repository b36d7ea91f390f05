"""Every network against the same one in PyTorch with the same weights, where PyTorch is installed.

A few minutes: ``python -m pytest -m slow tests/models/test_torch.py``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from cnnfast import models, nn, optim

torch = pytest.importorskip("torch")

from tests.models.torch_networks import CifarResNet, torch_network  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

NETWORKS = sorted({*models.__all__, "googlenet_aux"} - {"from_pattern"})
# Height and width. Maps of few elements make batch normalisation a lottery of rounding errors.
SIDES = {"lenet5": (28, 28), "alexnet": (96, 112), "zfnet": (64, 80)}
SIDES |= {name: (32, 40) for name in NETWORKS if name.startswith("cifar")}
BATCH = 4

Gradients = dict[str, np.ndarray]


class Errors(NamedTuple):
    """How far the two are apart."""

    states: tuple[list, list]  # names and shapes
    forward32: float
    forward64: float
    gradients64: float
    statistics64: float
    gradients32: float
    torch_gradients32: float


def network(name: str, seed: int = 0) -> nn.Module:
    """One that has seen a few batches: its running statistics are none to take for granted."""
    rng = np.random.default_rng(seed)
    auxiliary = {"aux_logits": True} if name == "googlenet_aux" else {}
    model = getattr(models, name.removesuffix("_aux"))(rng=rng, **auxiliary)
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    for _ in range(20 if any("running" in key for key in model.state_dict()) else 0):
        model.forward(images(name, rng))
    return model


def images(name: str, rng: np.random.Generator) -> np.ndarray:
    channels = 1 if name == "lenet5" else 3
    return rng.standard_normal((BATCH, channels, *SIDES.get(name, (64, 80))), np.float32)


def as_torch(state: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in state.items()}


def distance(ours: np.ndarray, theirs: np.ndarray) -> float:
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def gradient_distance(some: Gradients, exact: Gradients) -> float:
    """The worst, relative to a parameter's own or a thousandth of the network's largest."""
    assert list(some) == list(exact)
    floor = max(np.abs(g).max() for g in exact.values()) / 1000
    return max(
        float(np.abs(some[name] - g).max() / max(np.abs(g).max(), floor))
        for name, g in exact.items()
    )


def our_gradients(model: nn.Module, x: np.ndarray, cotangents: list[np.ndarray]) -> Gradients:
    outputs, backward = model.train().forward(x)
    backward(tuple(cotangents) if isinstance(outputs, tuple) else cotangents[0], input_grad=False)
    return {name: p.grad for name, p in model.named_parameters()}


def their_gradients(model, x: np.ndarray, cotangents: list[np.ndarray]) -> Gradients:
    outputs = model.train()(torch.from_numpy(x))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    torch.autograd.backward(outputs, [torch.from_numpy(c) for c in cotangents])
    return {name: p.grad.numpy().copy() for name, p in model.named_parameters()}


@pytest.fixture(scope="module", params=NETWORKS)
def errors(request: pytest.FixtureRequest) -> Errors:
    name, rng = request.param, np.random.default_rng(1)
    ours, theirs = network(name), torch_network(name)
    for layer in theirs.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    state = ours.state_dict()
    theirs.load_state_dict(as_torch(state))
    names = [(key, array.shape) for key, array in state.items()]
    their_names = [(key, tuple(tensor.shape)) for key, tensor in theirs.state_dict().items()]

    x = images(name, rng)
    with torch.no_grad():
        y, expected = ours(x), theirs.eval()(torch.from_numpy(x)).numpy()
    forward32 = distance(y, expected)
    outputs = 3 if name == "googlenet_aux" else 1
    cotangents = [rng.standard_normal(y.shape, np.float32) for _ in range(outputs)]
    ours64 = ours.astype(np.float64)
    some = our_gradients(ours, x, cotangents)
    torchs = their_gradients(theirs, x, cotangents)
    del ours

    theirs = theirs.double()
    theirs.load_state_dict(as_torch(state))
    theirs.zero_grad()
    x64, cotangents64 = x.astype(np.float64), [c.astype(np.float64) for c in cotangents]
    with torch.no_grad():
        forward64 = distance(ours64(x64), theirs.eval()(torch.from_numpy(x64)).numpy())
    ours_exact = our_gradients(ours64, x64, cotangents64)
    exact = their_gradients(theirs, x64, cotangents64)
    their_state = theirs.state_dict()
    statistics = [
        distance(array.astype(np.float64), their_state[key].numpy())
        for key, array in ours64.state_dict().items()
        if "running" in key or "num_batches" in key
    ]
    found = Errors(
        (names, their_names),
        forward32,
        forward64,
        gradient_distance(ours_exact, exact),
        max(statistics, default=0.0),
        gradient_distance(some, exact),
        gradient_distance(torchs, exact),
    )
    print(f"\n{name:15}", *(f"{error:9.1e}" for error in found[1:]))
    return found


def test_names_and_shapes(errors):
    ours, theirs = errors.states
    assert ours == theirs


def test_forward(errors):
    assert errors.forward32 <= 2e-5
    assert errors.forward64 <= 1e-10


def test_gradients_in_training(errors):
    assert errors.gradients64 <= 1e-9
    assert errors.statistics64 <= 1e-10


def test_gradients_in_float32(errors):
    assert errors.gradients32 <= 2 * errors.torch_gradients32


def test_losses_follow_torch():
    rng = np.random.default_rng(0)
    ours, theirs = models.cifar_resnet20(rng=rng), CifarResNet(20)
    theirs.load_state_dict(as_torch(ours.state_dict()))
    settings = {"lr": 0.02, "momentum": 0.9, "weight_decay": 1e-4}
    optimizer = optim.SGD(ours.parameters(), **settings)
    their_optimizer = torch.optim.SGD(theirs.parameters(), **settings)
    criterion, their_criterion = nn.CrossEntropyLoss(), torch.nn.CrossEntropyLoss()
    losses, their_losses = [], []
    for _ in range(20):
        x, labels = rng.standard_normal((32, 3, 32, 32), np.float32), rng.integers(0, 10, 32)
        logits, backward = ours.forward(x)
        loss, gradient = criterion(logits, labels)
        backward(gradient, input_grad=False)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss)

        their_optimizer.zero_grad()
        their_loss = their_criterion(theirs(torch.from_numpy(x)), torch.from_numpy(labels))
        their_loss.backward()
        their_optimizer.step()
        their_losses.append(their_loss.item())
    np.testing.assert_allclose(losses, their_losses, rtol=1e-4)
