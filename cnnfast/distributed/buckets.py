"""Gradients summed over all ranks, in a few flat arrays that leave while backward still runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from cnnfast.distributed.world import Pending, World
from cnnfast.nn import Parameter


class GradientSum:
    """Sums the gradients of parameters over all ranks.

    The first pass shows in what order they come, and how often: a parameter that serves twice has
    its gradient in two parts. From then on each bucket leaves when the last part of what it holds
    has come, and those before it have left, so that on all ranks they leave in one order.

    Parameters
    ----------
    world : World
    bucket_bytes : int
        A bucket takes no more parameters once it has so many bytes. Large buckets lose little time
        to latency; small ones leave early, and fit into a cache.

    References
    ----------
    S. Li et al., "PyTorch distributed: experiences on accelerating data parallel training", 2020.
    """

    def __init__(self, world: World, bucket_bytes: int) -> None:
        self._world = world
        self._bucket_bytes = bucket_bytes
        self._learning: list[Parameter] = []
        self._buckets: list[_Bucket] = []
        self._home: dict[int, _Bucket] = {}  # by the id of a parameter
        self._come: Counter[int] = Counter()
        self._usual: Counter[int] = Counter()
        self._sent: list[Pending] = []

    @contextmanager
    def of_a_pass(self, parameters: Iterable[Parameter]) -> Iterator[None]:
        """Add, after the ``with`` block, its gradients from all ranks to what was there before.

        Parameters
        ----------
        parameters : iterable of Parameter
            The same ones on all ranks.
        """
        learning = [p for p in parameters if p.requires_grad]
        if not _same(learning, self._learning):
            self._learning, self._buckets, self._home = learning, [], {}
        # What was gathered before is the same on all ranks: it must not be summed again.
        before = [None if p.grad is None else p.grad.copy() for p in learning]
        self._come.clear()
        self._sent.clear()
        for parameter in learning:
            parameter.grad = None
            parameter.on_gradient = self._take
        try:
            yield
        finally:
            for parameter in learning:
                parameter.on_gradient = None
        if not self._buckets:
            self._plan()
        self._finish()
        for parameter, gradient in zip(learning, before, strict=True):
            if gradient is not None:
                parameter.accumulate(gradient)

    def _take(self, parameter: Parameter) -> None:
        """Send off what is complete with a part of a gradient that has come."""
        key = id(parameter)
        self._come[key] += 1
        bucket = self._home.get(key)
        if bucket is None:  # the first pass
            return
        if bucket in self._buckets[: len(self._sent)]:
            raise RuntimeError(
                f"distributed: the gradient of {parameter!r} came in {self._come[key]} parts, "
                f"after {self._usual[key]} in the first pass, and has been sent off: a network "
                "must use its layers equally often in every pass"
            )
        if self._come[key] >= self._usual[key]:
            bucket.pack(parameter)
        while len(self._sent) < len(self._buckets) and self._buckets[len(self._sent)].complete:
            self._send_next()
        self._world.progress(self._sent)

    def _send_next(self) -> None:
        self._sent.append(self._world.start_sum(self._buckets[len(self._sent)].flat))

    def _plan(self) -> None:
        """Fill buckets in the order in which rank 0 got the gradients."""
        self._usual = Counter(self._come)
        places = {id(parameter): place for place, parameter in enumerate(self._learning)}
        came = [places[key] for key in self._come]
        came += sorted(set(places.values()) - set(came))
        order = [self._learning[place] for place in self._world.broadcast(came)]
        self._buckets = [_Bucket(part) for part in _cut(order, self._bucket_bytes)]
        self._home = {id(p): bucket for bucket in self._buckets for p in bucket.parameters}

    def _finish(self) -> None:
        """Send what has not left, though it may be incomplete, and give all sums out."""
        for bucket in self._buckets[len(self._sent) :]:
            for parameter in bucket.parameters:
                bucket.pack(parameter)
            self._send_next()
        for bucket, pending in zip(self._buckets, self._sent, strict=True):
            self._world.wait(pending)
            bucket.unpack()


class _Bucket:
    """Gradients behind each other in one flat array, and how many ranks have each of them."""

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self.parameters = parameters
        sizes = [p.size for p in parameters]
        self.flat = np.empty(sum(sizes) + len(sizes), parameters[0].dtype)
        *gradients, self._counts = np.split(self.flat, np.cumsum(sizes))
        self._slots = {
            id(p): (gradient.reshape(p.shape), place)
            for place, (p, gradient) in enumerate(zip(parameters, gradients, strict=True))
        }
        self._missing = set(self._slots)

    @property
    def complete(self) -> bool:
        return not self._missing

    def pack(self, parameter: Parameter) -> None:
        """Copy a gradient, or zeros if there is none on this rank."""
        gradient, place = self._slots[id(parameter)]
        there = parameter.grad is not None
        gradient[...] = parameter.grad if there else 0
        self._counts[place] = there
        self._missing.discard(id(parameter))

    def unpack(self) -> None:
        """Give the sums to the parameters: no copies, but good until the next pass."""
        for parameter in self.parameters:
            gradient, place = self._slots[id(parameter)]
            # What no rank has a gradient of, an optimizer leaves alone.
            parameter.grad = gradient if self._counts[place] else None
        self._missing = set(self._slots)


def _cut(parameters: Sequence[Parameter], size: int) -> Iterator[list[Parameter]]:
    """Cut a list where a part has reached `size` bytes, and where the dtype changes."""
    part: list[Parameter] = []
    for parameter in parameters:
        if part and (sum(p.data.nbytes for p in part) >= size or parameter.dtype != part[0].dtype):
            yield part
            part = []
        part.append(parameter)
    if part:
        yield part


def _same(these: Sequence[Parameter], those: Sequence[Parameter]) -> bool:
    return [id(p) for p in these] == [id(p) for p in those]
