"""Training on several ranks does what one process does."""

import numpy as np
import pytest
from cnnfast._ext.threads import available_processors

from cnnfast import data, distributed
from cnnfast.distributed.threads import fair_share
from tests.data.test_loader import Watched
from tests.distributed import programs
from tests.distributed.launch import SETTINGS, launch, needs_mpi, program


@pytest.fixture(scope="module")
def alone():
    """The losses and the final state of a plain loop in this process, without MPI."""
    model = programs.network(seed=0)
    losses = programs.learn(model, programs.loader(), lambda loss, count: loss)
    return losses, model.state_dict()


@needs_mpi
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_losses_and_weights_agree_with_one_process(ranks, alone, tmp_path):
    job = launch(program(ranks, "agreement", tmp_path / "out.npz"))
    assert job.returncode == 0, job.stderr
    losses, state = alone
    with np.load(tmp_path / "out.npz") as out:
        assert len(losses) == len(out["losses"]) == 12
        assert losses[-1] < 0.5 * losses[0]
        np.testing.assert_allclose(out["losses"], losses, rtol=0, atol=1e-5)
        for name, values in state.items():
            # The last batch is too small for 3 ranks; a running variance counts its copies.
            close = 2e-3 if ranks == 3 and "running_var" in name else 1e-5
            np.testing.assert_allclose(out[name], values, rtol=close, atol=close, err_msg=name)


@needs_mpi
def test_losses_of_a_deep_network_agree_with_one_process(tmp_path):
    model = programs.deep_network(seed=0)
    loader = programs.loader(dtype=np.float64)
    alone = programs.learn(model, loader, lambda loss, count: loss, epochs=1)
    job = launch(program(3, "deep_agreement", tmp_path / "losses.npy"))
    assert job.returncode == 0, job.stderr
    np.testing.assert_allclose(np.load(tmp_path / "losses.npy"), alone, rtol=0, atol=1e-10)


@needs_mpi
def test_gradients_on_two_ranks():
    job = launch(program(2, "checks"))
    assert job.returncode == 0, job.stderr
    names = [name for name in vars(programs) if name.startswith("check_")]
    assert sorted(job.stdout.split()) == sorted(2 * names)


# ---------------------------------------------------------------------------- shards


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [1, 2, 3, 6, 7, 20])
def test_parts_cover_a_batch(size, count):
    images, labels = np.arange(count)[:, None] * 10, np.arange(count)
    batches = [(images, labels)]
    parts = [next(iter(distributed.Shard(batches, rank, size))) for rank in range(size)]
    lengths = [len(labels) for _, labels in parts]
    assert min(lengths) >= 1
    assert max(lengths) - min(lengths) <= 1
    for images, labels in parts:
        assert images[:, 0].tolist() == (labels * 10).tolist()
    # Every image as often as every other; once where there are enough.
    times = np.bincount(np.concatenate([labels for _, labels in parts]), minlength=count)
    assert set(times) == {-(-size // count)}


@pytest.mark.parametrize("size", [2, 3, 40])
def test_ranks_have_the_same_draws_in_any_number(size):
    images, labels = np.zeros((107, 1, 4, 4), np.float32), np.arange(107)

    def draw(images, rng):
        return images + rng.random((len(images), 1, 1, 1), np.float32)

    def loader():
        return data.DataLoader(images, labels, 70, shuffle=True, seed=2, transform=draw)

    shards = [distributed.Shard(loader(), rank, size) for rank in range(size)]
    for batch, *parts in zip(loader(), *shards, strict=True):
        drawn = dict(zip(batch[1].tolist(), batch[0][:, 0, 0, 0].tolist(), strict=True))
        assert len(set(drawn.values())) == len(batch[1])
        for x, y in parts:
            assert [drawn[label] for label in y.tolist()] == x[:, 0, 0, 0].tolist()
        assert set(np.concatenate([y for _, y in parts])) == set(batch[1])


def test_a_rank_prepares_only_its_part():
    images = Watched(np.zeros((10, 1, 2, 2)))
    for _ in distributed.Shard(data.DataLoader(images, np.arange(10), 4), rank=1, size=2):
        pass
    assert images.asked_for == [2, 3, 6, 7, 9]


def test_no_images_stay_none():
    empty = (np.zeros((0, 3)), np.zeros(0))
    assert [x.shape for x, _ in distributed.Shard([empty], 1, 2)] == [(0, 3)]


def test_a_shard_passes_on_the_state_of_its_loader():
    class Loader(list):
        def state_dict(self):
            return {"position": 4}

        def load_state_dict(self, state):
            self.state = state

    loader = Loader([1, 2, 3])
    shard = distributed.Shard(loader, 0, 2)
    shard.load_state_dict({"position": 5})
    assert len(shard) == 3
    assert shard.state_dict() == {"position": 4}
    assert loader.state == {"position": 5}


# ---------------------------------------------------------------------------- threads


@pytest.mark.parametrize(
    ("everyones", "quota", "wanted"),
    [
        ([range(8)], np.inf, [8]),
        ([range(8)] * 2, np.inf, [4, 4]),
        ([range(2)] * 3, np.inf, [1, 1, 1]),
        ([range(0, 4), range(4, 8)], np.inf, [4, 4]),
        ([range(0, 6), range(6, 8)], np.inf, [6, 2]),
        ([range(8), range(4, 8)], np.inf, [6, 2]),
        ([range(6)] * 3, np.inf, [2, 2, 2]),
        ([range(64)] * 2, 8.0, [4, 4]),
        ([range(64)] * 2, 0.5, [1, 1]),
    ],
)
def test_ranks_share_a_machine(everyones, quota, wanted):
    assert [fair_share(everyones, rank, quota) for rank in range(len(everyones))] == wanted


@needs_mpi
@pytest.mark.parametrize("asked", ["", "5"])
def test_threads_of_a_rank(asked, monkeypatch):
    if asked:
        monkeypatch.setitem(SETTINGS, "OMP_NUM_THREADS", asked)
    job = launch(program(2, "threads"))
    each = asked or str(max(1, available_processors() // 2))
    assert sorted(job.stdout.split("\n"))[1:] == [f"0 {each}", f"1 {each}"]
