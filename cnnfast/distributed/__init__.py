"""Training on several processes and machines, through MPI (extra ``mpi``).

Two lines make a script train on every process, or rank, that ``mpiexec -n 4 python script.py``
starts::

    model = distributed.parallel(model)    # backward sums the gradients of all ranks
    loader = distributed.shard(loader)     # this rank's part of each batch

``init()`` is behind both of them and tells which rank this is.

    world.py       ranks: what they add up and tell each other, and how the job ends
    threads.py     ranks on one machine share its processors
    shards.py      a batch, cut in parts         parallel.py    a network that learns from them all
    buckets.py     gradients, summed while backward still runs
    batch_norm.py  batch normalisation by the moments of the whole batch
"""

from cnnfast.distributed.batch_norm import SyncBatchNorm
from cnnfast.distributed.parallel import Parallel, parallel
from cnnfast.distributed.shards import Shard, shard
from cnnfast.distributed.world import RankEndedError, World, init, launched

__all__ = [
    "Parallel",
    "RankEndedError",
    "Shard",
    "SyncBatchNorm",
    "World",
    "init",
    "launched",
    "parallel",
    "shard",
]
