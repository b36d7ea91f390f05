"""A network that learns on all ranks at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnfast.distributed.batch_norm import synchronized
from cnnfast.distributed.buckets import GradientSum
from cnnfast.distributed.world import World, init
from cnnfast.functional._arguments import FLOATS
from cnnfast.nn import Backward, Module
from cnnfast.nn.wrapper import Wrapper

BUCKET_BYTES = 4 << 20  # two of them fit into most processors' caches


def parallel(model: Module, sync_batchnorm: bool = False) -> Parallel:
    r"""Let a network learn from the batches of all ranks: each has a copy, and all stay equal.

    The parameters and buffers of rank 0 go to all others. From then on ``backward`` gives every
    parameter, on all ranks, the gradient of the mean loss over the images of all ranks' batches,
    whatever their sizes n:

    .. math:: \bar w = \sum_r \frac{n_r}{\sum_s n_s}\, \bar w_r,

    if the criterion takes the mean over its batch. So the optimizer, gradient clipping or whatever
    else comes after ``backward`` needs nothing else. ``model(x)`` is inference as ever, on the rank
    that calls it alone.

    Parameters
    ----------
    model : Module
        The same on all ranks, but for the values. Make the optimizer from its parameters, before
        or after. Dropout draws what each rank's generator gives: seed them differently.
    sync_batchnorm : bool
        Normalise with the moments of all ranks' images, as one process would, for two small sums
        over the ranks in each layer. If not, each rank normalises with those of its own. The layers
        of `model` are replaced by `SyncBatchNorm`, with the same parameters and buffers.

    Returns
    -------
    Parallel
        A module with the names of `model`, which is its attribute ``module``.

    Raises
    ------
    ValueError
        The model is not the same on all ranks.

    Examples
    --------
    >>> from cnnfast import distributed, nn
    >>> model = distributed.parallel(nn.Linear(2, 1))
    >>> y, backward = model.forward(np.ones((3, 2), np.float32))
    >>> gx = backward(np.ones_like(y) / 3)
    >>> model.module.weight.grad.tolist(), sorted(model.state_dict())
    ([[1.0, 1.0]], ['bias', 'weight'])
    """
    world = init()
    _broadcast(world, model)
    return Parallel(world, synchronized(model) if sync_batchnorm else model)


class Parallel(Wrapper):
    """What `parallel` returns."""

    def __init__(self, world: World, module: Module) -> None:
        super().__init__(module)
        self._world = world
        self._gradients = GradientSum(world, BUCKET_BYTES)

    def forward(self, *inputs: np.ndarray) -> tuple[Any, Backward]:
        count = len(inputs[0])
        counts = np.array([count])
        counting = self._world.start_sum(counts)
        y, backward = self.module.forward(*inputs)

        def run(grad: Any, input_grad: bool) -> Any:
            self._world.wait(counting)
            share = count / int(counts[0])
            with self._gradients.of_a_pass(self.parameters()):
                gx = backward(_scaled(grad, share), input_grad)
            self._average_buffers(share)
            return gx

        return y, Backward(run)

    def _average_buffers(self, share: float) -> None:
        """Make running statistics those of all ranks, so that all say the same in inference."""
        buffers = {name: b for name, b in self.named_buffers() if b.dtype in FLOATS}
        if not buffers or self._world.size == 1:
            return
        flat = np.concatenate([b.ravel() * share for b in buffers.values()])
        ends = np.cumsum([b.size for b in buffers.values()])[:-1]
        parts = np.split(self._world.sum(flat), ends)
        averages = {
            name: part.reshape(b.shape)
            for (name, b), part in zip(buffers.items(), parts, strict=True)
        }
        self.load_state_dict(averages, strict=False)


def _scaled(grad: Any, share: float) -> Any:
    """Gradients of the outputs, of which there may be several, and not all."""
    if isinstance(grad, tuple):
        return tuple(_scaled(g, share) for g in grad)
    return None if grad is None else grad * grad.dtype.type(share)


def _broadcast(world: World, model: Module) -> None:
    """Give all ranks the parameters and buffers of rank 0."""
    state = model.state_dict()
    mine = [f"{name} {array.dtype}{array.shape}" for name, array in state.items()]
    theirs = world.broadcast(mine)
    if mine != theirs:
        different = sorted(set(mine) ^ set(theirs)) or ["the order of the layers"]
        raise ValueError(
            f"parallel: the model of rank {world.rank} is not that of rank 0; they differ in: "
            f"{', '.join(different[:5])}"
        )
    for array in state.values():
        world.broadcast_array(array)
    model.load_state_dict(state)
