"""Scaling on paper, against steps worked out by hand; and the measurement beside it."""

import pytest

from benchmarks import distributed, scaling
from benchmarks.distributed import Comparison, Run
from benchmarks.scaling import BUCKET_BYTES, Layer, Link
from tests.distributed.launch import needs_mpi

LINK = Link("of a byte a microsecond", 1e-3, 1e6)
MB = BUCKET_BYTES


def test_time_of_a_sum():
    assert scaling.sum_time(1_000_000, LINK, 1) == 0
    assert scaling.sum_time(1_000_000, LINK, 2) == pytest.approx(2e-3 + 1)
    assert scaling.sum_time(1_000_000, LINK, 8) == pytest.approx(6e-3 + 2 * 7 / 8)


def test_a_bucket_travels_while_the_rest_is_computed():
    # Forward ends at 1 s, the way back of the second layer at 2 s and that of the first at 3 s.
    first, second = Layer(0.5, 0), Layer(0.5, MB)
    link = Link("", 0, MB / 0.75)  # 0.75 s for a bucket on 2 machines
    assert scaling.step_time([first, second], 3, link, 2) == pytest.approx(3)
    assert scaling.step_time([first, second], 3, link._replace(bandwidth=MB / 1.5), 2) == (
        pytest.approx(3.5)
    )
    # What comes last, nothing hides; and a bucket waits for the one before it.
    assert scaling.step_time([second, first], 3, link, 2) == pytest.approx(3.75)
    slow = link._replace(bandwidth=MB / 2)
    assert scaling.step_time([second, second], 3, slow, 2) == pytest.approx(2 + 2 + 2)
    assert scaling.efficiency([second, second], 3, slow, 2) == pytest.approx(0.5)


def test_small_gradients_wait_for_each_other():
    parts = [Layer(0.25, MB // 4)] * 4
    link = Link("", 0, MB / 1.0)
    assert scaling.step_time(parts, 3, link, 2) == pytest.approx(4)


def test_layers_are_those_of_the_network():
    layers = scaling.layers("squeezenet1_1")
    assert sum(layer.bytes for layer in layers) == 4 * 1_235_496
    assert sum(layer.work for layer in layers) == pytest.approx(1)


def test_where_it_ends():
    network = [Layer(1.0, MB)]
    # On many machines a step takes 2 s of communication, and 1024 / machines of arithmetic.
    ends = scaling.end(network, 1.0, Link("", 0, MB))
    assert ends == 512


def test_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr(distributed, "PAGE", tmp_path / "scaling.md")
    monkeypatch.setattr(scaling, "NETWORKS", {"squeezenet1_1": "SqueezeNet"})
    comparison = Comparison(
        [Run(0.9, 0.0, 1.8), Run(1.2, 0.0, 1.8)], [Run(1.0, 0.02, 1.0), Run(1.4, 0.042, 1.0)]
    )
    distributed.document({"date": "today"}, comparison, 2, dict.fromkeys(scaling.NETWORKS, 0.1))
    text = (tmp_path / "scaling.md").read_text()
    assert "- 2 ranks are 0.90 times as fast (aim: 0.9)" in text
    assert "waiting for the slower rank included: 2.5% of a step" in text
    assert text.count("| 512 | 200 Gb/s InfiniBand HDR |") == 1
    assert "### SqueezeNet\n\n5 MB of gradients; 100 ms an image." in text


@needs_mpi
def test_ranks_are_measured():
    alone = distributed._run([], 1, "squeezenet1_1", batch=1)
    both = distributed._run([distributed._launcher(), "-n", "2"], 1, "squeezenet1_1", batch=2)
    assert alone.communication == 0 < both.communication < both.step
