"""Fixtures for all tests."""

from collections.abc import Iterator

import pytest

from cnnfast._ext import dispatch
from tests.helpers import using_isa, using_threads


@pytest.fixture(params=dispatch.supported_isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every instruction set this machine has, one after the other."""
    with using_isa(request.param):
        yield request.param


@pytest.fixture
def one_thread() -> Iterator[None]:
    with using_threads(1):
        yield
