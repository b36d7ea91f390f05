"""Fixtures for all tests."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits

from cnnfast._ext import dispatch
from tests.helpers import using_isa, using_threads

# A busy machine is no failure.
settings.register_profile("any pace", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any pace")


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread() -> Iterator[None]:
    """The oracle's matrix products are small: on a busy machine two threads took 30 times as long.

    This leaves alone the threads of cnnfast, which has no BLAS."""
    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture(params=dispatch.supported_isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every instruction set this machine has, one after the other."""
    with using_isa(request.param):
        yield request.param


@pytest.fixture
def one_thread() -> Iterator[None]:
    with using_threads(1):
        yield
