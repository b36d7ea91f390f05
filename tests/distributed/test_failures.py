"""A rank that ends, in whatever way, ends the job; it never hangs."""

import numpy as np
import pytest

from cnnfast import distributed
from tests.distributed.launch import command, launch, needs_mpi, program
from tests.helpers import run_python


@needs_mpi
@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("raises", "ZeroDivisionError: division by zero\n"),
        ("raises while rank 0 works", "ZeroDivisionError: division by zero\n"),
        ("exits", "rank 1 has ended, but rank 0 waits for it"),
        ("runs out of batches", "rank 1 has ended, but rank 0 waits for it"),
        ("differs", "model of rank 1 is not that of rank 0; they differ in: bias float32(1,)"),
        ("exits hard", ""),
        ("killed", ""),
    ],
)
def test_the_job_ends(how, message, tmp_path):
    job = launch(program(2, "failing", how, tmp_path), timeout=120)
    assert job.returncode != 0
    assert message in job.stderr
    if how != "differs":
        assert sorted(path.name for path in tmp_path.iterdir()) == ["0.npz", "1.npz"]
        with np.load(tmp_path / "1.npz") as weights:
            assert np.isfinite(weights["weight"]).all()


@needs_mpi
def test_rank_0_that_ends_early_ends_the_job():
    script = """
from cnnfast import distributed
world = distributed.init()
if world.rank:
    world.barrier()
"""
    job = launch(command(3, "-c", script), timeout=120)
    assert job.returncode != 0
    assert "rank 0 has ended, but rank" in job.stderr


@needs_mpi
def test_ranks_wait_for_the_work_that_rank_0_has_left(tmp_path):
    job = launch(program(3, "ending", tmp_path), timeout=120)
    assert job.returncode == 0, job.stderr
    assert (tmp_path / "report").exists()


def test_without_mpi4py_it_says_what_to_install():
    script = """
import sys
sys.modules["mpi4py"] = None
from cnnfast import distributed
distributed.init()
"""
    errors = run_python(script).stderr
    assert "ImportError: distributed needs the library mpi4py and an MPI library" in errors
    assert "cnnfast[mpi]" in errors


@pytest.mark.parametrize("variable", ["PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK"])
def test_launched(variable, monkeypatch):
    assert not distributed.launched()
    monkeypatch.setenv(variable, "1")
    assert distributed.launched()
