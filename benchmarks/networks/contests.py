"""Who is faster on one image, on a batch, and at a step of training."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

import cnnfast
from benchmarks.contests import Calls, Contest, hold, matching
from benchmarks.networks.competitors import LEARNERS, PEERS, Cnnfast, installed
from benchmarks.networks.table import Network, networks
from cnnfast.cli.race import UnequalError

ONE_IMAGE, BATCH, TRAINING = "inference, one image", "inference, batch", "training step"
# Rounding turns some ReLUs and maxima around, each of which moves a gradient by far more: where
# there is batch normalisation, PyTorch's two memory formats are 0.03 apart. So gradients are
# compared all together, the length of the difference over theirs; that finds what is wrong, and
# the tests say how exact the rest is.
GRADIENT_TOLERANCE = 0.1


def contests(table: Sequence[Network], folder: Path) -> Iterator[Contest]:
    """All contests, each made up when it begins; `folder` keeps files of the networks."""
    for network in table:
        yield Contest(ONE_IMAGE, network.name, 1, partial(_inference, network, 1, folder))
    for network in table:
        enter = partial(_inference, network, network.batch, folder)
        yield Contest(BATCH, network.name, network.batch, enter)
    for network in table:
        yield Contest(TRAINING, network.name, network.batch, partial(_training, network))


def _inference(network: Network, count: int, folder: Path) -> Calls:
    model, x = network.make(), network.images(count)
    competitors, _ = installed((Cnnfast, *PEERS), cnnfast.get_num_threads())
    calls = {peer.name: peer.inference(network, model, x, folder) for peer in competitors}
    return {name: call for name, call in calls.items() if call}


def _training(network: Network) -> Calls:
    images, labels = network.images(network.batch), network.labels()
    competitors, _ = installed(LEARNERS, cnnfast.get_num_threads())
    calls: Calls = {}
    first: list[np.ndarray] = []
    for competitor in competitors:
        learner = competitor.learner(network, network.make(), images, labels)
        learner.step()
        first = first or learner.gradients()
        check_gradients(competitor.name, learner.gradients(), first)
        calls[competitor.name] = learner.step
    return calls


def check_gradients(
    name: str, gradients: Sequence[np.ndarray], expected: Sequence[np.ndarray]
) -> None:
    """Check that the gradients of a first step are those of cnnfast.

    Raises
    ------
    UnequalError
        If they are not.
    """
    pairs = [*zip(gradients, expected, strict=True)]
    error = np.sqrt(sum(float(np.square(g - e).sum()) for g, e in pairs))
    length = np.sqrt(sum(float(np.square(e).sum()) for e in expected))
    if not error <= GRADIENT_TOLERANCE * length:
        raise UnequalError(
            f"the gradients of {name} differ from those of cnnfast by {error / length:.2g} of "
            f"their length, more than {GRADIENT_TOLERANCE}"
        )


def main() -> None:
    """Hold the contests that match, and print the seconds as JSON."""
    folder, only, turn, threads, seconds = sys.argv[1:]
    chosen = matching(contests(networks(), Path(folder)), only)
    print(json.dumps([*hold(chosen, int(turn), int(threads), float(seconds))]))


if __name__ == "__main__":
    main()
