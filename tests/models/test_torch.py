"""Every network against the same one in PyTorch with the same weights, where PyTorch is installed.

About 20 minutes on two cores: ``python -m pytest -m slow tests/models/test_torch.py``.
"""

from __future__ import annotations

import copy
import math
from typing import NamedTuple

import numpy as np
import pytest

from cnnfast import models, nn, optim

torch = pytest.importorskip("torch")

from benchmarks.networks.torch_networks import CifarResNet, torch_network  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

NETWORKS = sorted({*models.__all__, "googlenet_aux"} - {"from_pattern"})
# Height and width: small, but not so small that batch normalisation has few elements to go by.
SIDES = {"lenet5": (28, 28), "alexnet": (64, 80), "zfnet": (64, 80)}
SIDES |= {name: (16, 24) for name in NETWORKS if name.startswith("cifar")}
SIDES |= {name: (32, 40) for name in NETWORKS if name.startswith("vgg")}
BATCH, DRAWS = 4, 9

Gradients = dict[str, np.ndarray]


class Errors(NamedTuple):
    """How far the two are apart."""

    states: tuple[list, list]  # names and shapes
    forward32: float
    forward64: float
    gradients64: float
    statistics64: float
    ratios32: list[float]  # of gradients in float32, to PyTorch's own errors, for each batch


def network(name: str) -> nn.Module:
    """One in which everything is random: biases, scales and running statistics, too."""
    rng = np.random.default_rng(0)
    auxiliary = {"aux_logits": True} if name == "googlenet_aux" else {}
    model = getattr(models, name.removesuffix("_aux"))(rng=rng, **auxiliary)
    state = model.state_dict()
    for key, array in state.items():
        if key.endswith("running_var"):
            state[key] = rng.uniform(0.5, 1.5, array.shape).astype(np.float32)
        elif array.ndim == 1:
            state[key] = array + 0.1 * rng.standard_normal(array.shape, np.float32)
    model.load_state_dict(state)
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    return model


def images(name: str, rng: np.random.Generator) -> np.ndarray:
    channels = 1 if name == "lenet5" else 3
    return rng.standard_normal((BATCH, channels, *SIDES.get(name, (48, 64))), np.float32)


def as_torch(state: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array.copy()) for name, array in state.items()}


def distance(ours: np.ndarray, theirs: np.ndarray, floor: float = 0.0) -> float:
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), floor))


def worst_distance(some: Gradients, exact: Gradients) -> float:
    """The worst, relative to a parameter's own or a thousandth of the network's largest."""
    assert list(some) == list(exact)
    floor = max(np.abs(g).max() for g in exact.values()) / 1000
    return max(distance(some[name], g, floor) for name, g in exact.items())


def typical_distance(some: Gradients, exact: Gradients) -> float:
    """Of all parameters together: in a single one, chance rules."""
    error = sum(float(np.square(some[name] - g).sum()) for name, g in exact.items())
    return math.sqrt(error / sum(float(np.square(g).sum()) for g in exact.values()))


def our_gradients(model: nn.Module, x: np.ndarray, cotangents: list[np.ndarray]) -> Gradients:
    model.zero_grad()
    outputs, backward = model.train().forward(x)
    backward(tuple(cotangents) if isinstance(outputs, tuple) else cotangents[0], input_grad=False)
    return {name: p.grad for name, p in model.named_parameters()}


def their_gradients(model, x: np.ndarray, cotangents: list[np.ndarray]) -> Gradients:
    model.zero_grad()
    outputs = model.train()(torch.from_numpy(x))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    torch.autograd.backward(outputs, [torch.from_numpy(c) for c in cotangents])
    return {name: p.grad.numpy() for name, p in model.named_parameters()}


@pytest.fixture(scope="module", params=NETWORKS)
def errors(request: pytest.FixtureRequest) -> Errors:
    name, rng = request.param, np.random.default_rng(1)
    try:
        theirs = torch_network(name)
    except ImportError as error:
        pytest.skip(str(error))
    ours = network(name)
    for layer in theirs.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    state = ours.state_dict()
    theirs.load_state_dict(as_torch(state))
    names = [(key, array.shape) for key, array in state.items()]
    their_names = [(key, tuple(tensor.shape)) for key, tensor in theirs.state_dict().items()]

    x = images(name, rng)
    ours64, theirs64 = ours.astype(np.float64), copy.deepcopy(theirs).double()
    with torch.no_grad():
        y = theirs.eval()(torch.from_numpy(x)).numpy()
        y64 = theirs64.eval()(torch.from_numpy(x.astype(np.float64))).numpy()
    forward32, forward64 = distance(ours(x), y), distance(ours64(x.astype(np.float64)), y64)

    ratios = []
    gradients64 = statistics64 = 0.0
    for draw in range(DRAWS):
        x = images(name, rng)
        outputs = 3 if name == "googlenet_aux" else 1
        cotangents = [rng.standard_normal(y.shape, np.float32) for _ in range(outputs)]
        in64 = x.astype(np.float64), [c.astype(np.float64) for c in cotangents]
        exact = their_gradients(theirs64, *in64)
        if draw == 0:
            gradients64 = worst_distance(our_gradients(ours64, *in64), exact)
            their_state = theirs64.state_dict()
            for key, array in ours64.state_dict().items():
                if "running" in key or "num_batches" in key:
                    error = distance(array, their_state[key].numpy(), floor=1e-3)
                    statistics64 = max(statistics64, error)
            del ours64, their_state
        theirs_error = typical_distance(their_gradients(theirs, x, cotangents), exact)
        error = typical_distance(our_gradients(ours, x, cotangents), exact)
        ratios.append(error / theirs_error)
    result = Errors((names, their_names), forward32, forward64, gradients64, statistics64, ratios)
    shown = " ".join(f"{ratio:.2f}" for ratio in sorted(ratios))
    print(f"\n{name:15}", *(f"{error:9.1e}" for error in result[1:5]), f"  {shown}")
    return result


def test_names_and_shapes(errors):
    ours, theirs = errors.states
    assert ours == theirs


def test_forward(errors):
    assert errors.forward32 <= 2e-5
    assert errors.forward64 <= 1e-10


def test_gradients_in_training(errors):
    assert errors.gradients64 <= 1e-9
    assert errors.statistics64 <= 1e-10


def test_gradients_in_float32(request, errors):
    """Against PyTorch's own errors, which in deep networks are large, too.

    In many batches an activation lies so near to zero that rounding decides whether its ReLU is
    open: chance, and it changes gradients a thousand times more than rounding itself does. Hence
    the median of several batches, and all parameters taken together.
    """
    ratio = np.median(errors.ratios32)
    assert ratio <= 3.5
    if request.node.callspec.params["errors"] in BEYOND and ratio > 2:
        pytest.xfail(f"{ratio:.2f} times PyTorch's error, where 2 is wanted")
    assert ratio <= 2


# Sums of thousands of products are made in one go, those of PyTorch part by part: VGG's ratios are
# 2.0 to 2.9. Winograd's rounding is about twice PyTorch's: those of networks that are nothing but
# 3x3 filters are 1.9 to 2.1. GoogLeNet's auxiliary classifiers rest on chance. But none of them may
# be far beyond.
BEYOND = {name for name in NETWORKS if name.startswith(("vgg", "cifar"))} | {"googlenet_aux"}


@pytest.mark.parametrize(
    ("dtype", "lr", "tolerance"),
    # Rounding errors grow from step to step, and faster with larger steps: with a rate of 0.001
    # PyTorch's own losses in float32 and in float64 are already up to 3e-4 apart.
    [(np.float32, 0.0003, 1e-4), (np.float64, 0.02, 1e-9)],
)
def test_losses_follow_torch(dtype, lr, tolerance):
    rng = np.random.default_rng(0)
    ours, theirs = models.cifar_resnet20(rng=rng, dtype=dtype), CifarResNet(20)
    theirs.to(torch.from_numpy(np.empty(0, dtype)).dtype)
    theirs.load_state_dict(as_torch(ours.state_dict()))
    settings = {"lr": lr, "momentum": 0.9, "weight_decay": 1e-4}
    optimizer = optim.SGD(ours.parameters(), **settings)
    their_optimizer = torch.optim.SGD(theirs.parameters(), **settings)
    criterion, their_criterion = nn.CrossEntropyLoss(), torch.nn.CrossEntropyLoss()
    losses, their_losses = [], []
    for _ in range(20):
        x = rng.standard_normal((32, 3, 16, 16)).astype(dtype)
        labels = rng.integers(0, 10, 32)
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
    np.testing.assert_allclose(losses, their_losses, rtol=tolerance)
