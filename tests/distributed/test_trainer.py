"""`Trainer` on several ranks: the history of one process, also over interruptions."""

import json

import numpy as np

from tests.distributed import programs
from tests.distributed.launch import launch, needs_mpi, program

pytestmark = needs_mpi
FIGURES = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "lr", "images")


def agree(got, wanted):
    for name in FIGURES:
        np.testing.assert_allclose(got[name], wanted[name], rtol=0, atol=1e-5, err_msg=name)


def test_another_number_of_ranks_goes_on(tmp_path):
    for epochs, ranks in ((2, 2), (5, 3)):
        job = launch(program(ranks, "fitting", tmp_path, epochs))
        assert job.returncode == 0, job.stderr
    got = json.loads(job.stdout)

    alone = programs.trainer(programs.network(seed=0), None)
    wanted = alone.fit(programs.loader(programs.FIT_BATCH), programs.loader(), epochs=5)
    assert len(set(wanted["lr"])) > 1  # the plateau was seen, by all ranks at once
    agree(got, wanted)


def test_an_interruption_of_one_rank_stops_all_after_the_same_step(tmp_path):
    job = launch(program(2, "fitting", tmp_path, 5, "InterruptRank1"))
    assert job.returncode == 130
    assert "KeyboardInterrupt: after step 3, saved in" in job.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-0000-step-00000003"]
    job = launch(program(2, "fitting", tmp_path, 1))
    assert job.returncode == 0, job.stderr

    alone = programs.trainer(programs.network(seed=0), None)
    wanted = alone.fit(programs.loader(programs.FIT_BATCH), programs.loader(), epochs=1)
    agree(json.loads(job.stdout), wanted)


def test_what_is_not_finite_on_one_rank_is_found_by_all(tmp_path):
    job = launch(program(2, "fitting", tmp_path, 5, "SpoilRank1"))
    assert job.returncode == 1
    assert "FloatingPointError: Trainer.fit: epoch 1, step 4" in job.stderr
