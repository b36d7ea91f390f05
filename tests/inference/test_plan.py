"""Plans: the network's own results, whatever the input's memory, batch, threads or layers."""

import threading

import numpy as np
import pytest

import cnnfast
from cnnfast import models, nn
from cnnfast.inference import parts
from cnnfast.inference.program import Program
from tests.helpers import with_gaps

RNG = np.random.default_rng(0)


def network(dtype=np.float32):
    """Branches, a residual, every fusion, a copy into a concatenation, a head."""

    def conv(c, k, kernel=3, **options):
        return nn.Conv2d(c, k, kernel, padding=kernel // 2, rng=RNG, dtype=dtype, **options)

    def norm(k):
        layer = nn.BatchNorm2d(k, dtype=dtype)
        layer.running_mean = RNG.standard_normal(k).astype(dtype)
        layer.running_var = (RNG.random(k) + 0.5).astype(dtype)
        return layer

    body = nn.Sequential(conv(12, 12), norm(12), nn.ReLU(), conv(12, 12, bias=False), norm(12))
    return nn.Sequential(
        conv(3, 12),
        nn.ReLU(),
        nn.Residual(body, nn.Sequential(conv(12, 12, 1), norm(12))),
        nn.ReLU(),
        nn.LocalResponseNorm(5),
        nn.Concat(conv(12, 7, 1), nn.Sequential(conv(12, 5), nn.ReLU()), nn.MaxPool2d(3, 1, 1)),
        conv(24, 24, groups=24),
        nn.LeakyReLU(),
        nn.AvgPool2d(2),
        nn.Dropout(),
        nn.Flatten(),
        nn.Linear(24 * 16, 10, rng=RNG, dtype=dtype),
        nn.Softmax(1),
    )


def steps(plan):
    (program,) = plan._programs.values()
    return program.steps


def close(actual, expected):
    tolerance = {"float32": 1e-5, "float64": 1e-12}[expected.dtype.name]
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_model(isa, dtype):
    model = network(dtype)
    plan = cnnfast.compile(model, (None, 3, 8, 8))
    for batch in (1, 2, 3, 2):
        x = RNG.standard_normal((batch, 3, 8, 8)).astype(dtype)
        expected = model(x)
        close(plan(x), expected)
        last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        close(plan(last), expected)
        close(plan(with_gaps(x)), expected)
        frozen = x.copy()
        frozen.flags.writeable = False
        close(plan(frozen), expected)


def test_all_of_it_is_recorded():
    plan = cnnfast.compile(network(), (2, 3, 8, 8))
    assert [step.call.name for step in steps(plan) if step.run] == []
    assert "depthwise" in plan.explain(2)
    assert "LocalResponseNorm" in plan.explain(2)


def test_outputs_are_the_callers():
    plan = cnnfast.compile(models.lenet5(rng=RNG), (1, 1, 28, 28))
    x = RNG.standard_normal((1, 1, 28, 28)).astype(np.float32)
    first = plan(x)
    kept = first.copy()
    plan(-x)
    np.testing.assert_array_equal(first, kept)
    out = np.zeros_like(first)
    assert plan(x, out=out) is out
    np.testing.assert_array_equal(out, kept)


class Halves(nn.Module):
    """No kernel, and two outputs."""

    def __call__(self, x):
        return x[:, :2] * 2, x[:, 2:].sum(axis=(2, 3)).astype(np.int64)


class Mixed(nn.Module):
    def __call__(self, x, y, z=None):
        assert z is None
        return x + y[:, :1, None, None]


def test_layers_without_kernels_are_called():
    graph = nn.Graph(
        {
            "conv": (nn.Conv2d(3, 4, 3, rng=RNG), "image"),
            "halves": (Halves(), "conv"),
            "mixed": (Mixed(), "halves:0", "other", None),
            "relu": (nn.ReLU(), "mixed"),
        },
        inputs=["image", "other"],
        outputs=["relu", "halves:1", "other"],
    )
    plan = cnnfast.compile(graph, [(None, 3, 6, 6), (None, 5)])
    for batch in (1, 3):
        image = RNG.standard_normal((batch, 3, 6, 6)).astype(np.float32)
        other = RNG.standard_normal((batch, 5)).astype(np.float32)
        for actual, expected in zip(plan(image, other), graph(image, other), strict=True):
            np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)
            assert actual.dtype == expected.dtype


@pytest.mark.parametrize(
    "layer",
    [
        nn.AvgPool2d(3, 2, 1, count_include_pad=False),  # divides with NumPy
        nn.LPPool2d(2, 2),
        nn.PReLU(4),
        nn.GroupNorm(2, 4),  # sums up between its kernels
        nn.BatchNorm2d(4, track_running_stats=False),
        nn.Conv2d(4, 4, 3, algorithm="im2col", rng=RNG),  # a matrix product of NumPy's
    ],
)
def test_layers_that_do_more_than_kernels_are_found_out(layer):
    model = nn.Sequential(nn.Conv2d(3, 4, 3, rng=RNG), layer, nn.ReLU())
    plan = cnnfast.compile(model, (2, 3, 9, 9))
    for _ in range(2):
        x = RNG.standard_normal((2, 3, 9, 9)).astype(np.float32)
        close(plan(x), model(x))


def test_views_need_no_step():
    model = nn.Sequential(nn.Conv2d(3, 4, 3, rng=RNG), nn.GlobalAvgPool2d(), nn.Flatten())
    plan = cnnfast.compile(model, (2, 3, 9, 9))
    assert "Flatten: nothing to do" in plan.explain()
    assert steps(plan)[-1].first == steps(plan)[-1].last
    x = RNG.standard_normal((2, 3, 9, 9)).astype(np.float32)
    close(plan(x), model(x))
    start = nn.Sequential(nn.Flatten(), nn.Linear(12, 2, rng=RNG))
    x = RNG.standard_normal((2, 3, 2, 2)).astype(np.float32)
    close(cnnfast.compile(start, (2, 3, 2, 2))(x), start(x))


def test_branches_write_into_their_concatenation():
    inception = nn.Concat(nn.Conv2d(8, 8, 1, rng=RNG), nn.Conv2d(8, 24, 1, rng=RNG))
    model = nn.Sequential(nn.Conv2d(3, 8, 3, rng=RNG), inception, nn.Conv2d(32, 4, 1, rng=RNG))
    plan = cnnfast.compile(model, (2, 3, 9, 9))
    assert "Concatenate: nothing to do" in plan.explain()
    x = RNG.standard_normal((2, 3, 9, 9)).astype(np.float32)
    close(plan(x), model(x))


def test_an_input_is_concatenated():
    """It lies where the caller has it, so it is copied in every run."""
    model = nn.Concat(nn.Conv2d(3, 8, 1, rng=RNG), nn.Sequential(), nn.MaxPool2d(1))
    plan = cnnfast.compile(model, (2, 3, 5, 5))
    for _ in range(2):
        x = RNG.standard_normal((2, 3, 5, 5)).astype(np.float32)
        close(plan(x), model(x))


def test_memory_is_used_again():
    layers = [nn.Conv2d(16, 16, 3, padding=1, rng=RNG) for _ in range(6)]
    plan = cnnfast.compile(nn.Sequential(*layers), (1, 16, 32, 32))
    (program,) = plan._programs.values()
    assert program.block_bytes == 2 * 16 * 32 * 32 * 4


def in_parts_of(plan, x):
    """Run a plan; return how it cut the batch, having checked that parts fit into the cache."""
    plan(x)
    *_, program = plan._programs.values()
    if program.parts == [...]:
        return [...]
    assert program.block_bytes <= parts.CACHE
    return [(part.start, part.stop) for part in program.parts]


def test_batches_larger_than_the_cache_run_in_parts(monkeypatch):
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, rng=RNG), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Flatten()
    )
    x = RNG.standard_normal((11, 3, 8, 8)).astype(np.float32)
    plan = cnnfast.compile(model, (None, 3, 8, 8))
    assert in_parts_of(plan, x) == [...]
    monkeypatch.setattr(parts, "CACHE", 4 * (16 * 8 * 8 + 16) * 4)  # four images' values
    plan = cnnfast.compile(model, (None, 3, 8, 8))
    assert in_parts_of(plan, x) == [(0, 4), (4, 8), (7, 11)]
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    out = np.zeros((11, 16), np.float32)
    for images in (x, last, x[::-1]):
        close(plan(images), model(images))
        assert plan(images, out=out) is out
        close(out, model(images))
    assert in_parts_of(plan, x[:4]) == [...]
    assert in_parts_of(plan, x[:5]) == [(0, 3), (2, 5)]
    assert plan(x[:0]).shape == (0, 16)
    profile = plan.profile(x)
    assert profile.parts == 3
    assert profile.steps[0].output_shape == (4, 16, 8, 8)
    assert "3 times 3 steps" in str(profile)


def test_outputs_in_place_of_the_inputs_of_parts(monkeypatch):
    monkeypatch.setattr(parts, "CACHE", 4 * 16 * 8 * 8 * 4)
    model = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, rng=RNG), nn.Conv2d(16, 3, 1, rng=RNG))
    x = RNG.standard_normal((5, 3, 8, 8)).astype(np.float32)
    plan = cnnfast.compile(model, x.shape)
    assert in_parts_of(plan, x) == [(0, 3), (2, 5)]
    expected = model(x)
    assert plan(x, out=x) is x
    close(x, expected)


def test_layers_of_several_outputs_keep_a_batch_whole(monkeypatch):
    monkeypatch.setattr(parts, "CACHE", 1)
    layers = {"conv": (nn.Conv2d(3, 4, 3, rng=RNG), "image"), "halves": (Halves(), "conv")}
    graph = nn.Graph(layers, inputs=["image"], outputs=["halves:0", "halves:1"])
    x = RNG.standard_normal((4, 3, 12, 12)).astype(np.float32)
    plan = cnnfast.compile(graph, x.shape)
    assert in_parts_of(plan, x) == [...]
    for actual, expected in zip(plan(x), graph(x), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Softmax(0),
        nn.LogSoftmax(-4),
        nn.BatchNorm2d(16, track_running_stats=False),
        nn.LPPool2d(2, 2),  # of no kind that is known to treat each image for itself
        nn.Conv2d(16, 4096, 1, rng=RNG),  # weights larger than a part's values
    ],
)
def test_batches_that_stay_whole(monkeypatch, layer):
    monkeypatch.setattr(parts, "CACHE", 1)
    model = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, rng=RNG), layer)
    x = RNG.standard_normal((4, 3, 2, 2)).astype(np.float32)
    plan = cnnfast.compile(model, x.shape)
    assert in_parts_of(plan, x) == [...]
    close(plan(x), model(x))


def test_changed_weights_are_noticed():
    model = models.lenet5(rng=RNG)
    plan = cnnfast.compile(model, (1, 1, 28, 28))
    x = np.zeros((1, 1, 28, 28), np.float32)
    plan(x)
    model.conv1.bias.assign(np.ones(6, np.float32))
    for call in (lambda: plan(x), lambda: plan.profile(x)):
        with pytest.raises(RuntimeError, match="weights have changed since the plan was made"):
            call()
    close(cnnfast.compile(model, (1, 1, 28, 28))(x), model(x))


def test_changed_statistics_are_noticed():
    model = nn.Sequential(nn.Conv2d(3, 4, 3, rng=RNG), nn.BatchNorm2d(4))
    plan = cnnfast.compile(model, (2, 3, 5, 5))
    x = RNG.standard_normal((2, 3, 5, 5)).astype(np.float32)
    plan(x)
    model.forward(x)
    with pytest.raises(RuntimeError, match="weights have changed since the plan was made"):
        plan(x)


def test_bits_do_not_depend_on_threads():
    model = network()
    x = RNG.standard_normal((3, 3, 8, 8)).astype(np.float32)
    plan = cnnfast.compile(model, (3, 3, 8, 8))
    before, results = cnnfast.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 7):
            cnnfast.set_num_threads(threads)
            results.append(plan(x))
    finally:
        cnnfast.set_num_threads(before)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_threads_take_turns():
    model = models.lenet5(rng=RNG)
    plan = cnnfast.compile(model, (None, 1, 28, 28))
    xs = [RNG.standard_normal((1 + i % 3, 1, 28, 28)).astype(np.float32) for i in range(6)]
    expected = [model(x) for x in xs]
    wrong = []

    def work(i):
        for _ in range(50):
            if not np.allclose(plan(xs[i]), expected[i], rtol=1e-5, atol=1e-5):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(xs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_few_programs_are_kept():
    plan = cnnfast.compile(models.lenet5(rng=RNG), (None, 1, 28, 28))
    for batch in range(1, 20):
        plan(np.zeros((batch, 1, 28, 28), np.float32))
    assert len(plan._programs) == 8


def test_program_gives_memory_back():
    model = models.lenet5(rng=RNG)
    x = np.zeros((64, 1, 28, 28), np.float32)
    model(x)
    cnnfast.compile(model, x.shape)(x)
    before = cnnfast.memory_stats()["in_use"]
    for _ in range(3):
        cnnfast.compile(model, x.shape)(x)
    assert cnnfast.memory_stats()["in_use"] == before


def test_profile_times_every_step():
    plan = cnnfast.compile(models.lenet5(rng=RNG), (None, 1, 28, 28))
    profile = plan.profile(np.zeros((4, 1, 28, 28), np.float32), repeats=2)
    assert [step.name for step in profile.steps][:2] == ["relu1", "pool1"]
    assert profile.steps[0].output_shape == (4, 6, 28, 28)
    assert all(step.seconds > 0 for step in profile.steps)
    assert "10 steps" in str(profile)


def test_wrong_use():
    model = models.lenet5(rng=RNG)
    plan = cnnfast.compile(model, (None, 1, 28, 28))
    good = np.zeros((1, 1, 28, 28), np.float32)
    for error, message, call in [
        (TypeError, "must be a NumPy array, got list", lambda: plan([1])),
        (TypeError, "must be float32, got float64", lambda: plan(good.astype(float))),
        (ValueError, r"has shape \(1, 1, 28, 27\), but the plan", lambda: plan(good[..., 1:])),
        (ValueError, r"has shape \(1, 28, 28\)", lambda: plan(good[0])),
        (TypeError, "takes 1 inputs, got 0", plan),
        (TypeError, "takes 1 inputs, got 2", lambda: plan(good, good)),
        (ValueError, "out must be a float32 array", lambda: plan(good, out=np.zeros((2, 10)))),
        (TypeError, "model must be a Module", lambda: cnnfast.compile(len, (1, 1, 28, 28))),
        (TypeError, "input_shape must be a tuple", lambda: cnnfast.compile(model, 28)),
        (TypeError, "consist of integers", lambda: cnnfast.compile(model, (1, None, 28, 28))),
        (ValueError, "must be positive", lambda: cnnfast.compile(model, (1, 1, 0, 28))),
        (ValueError, "has 2 shapes", lambda: cnnfast.compile(model, [(1, 1), (1, 1)])),
        (TypeError, "must be float32 or", lambda: cnnfast.compile(model, (1, 1), dtype=int)),
        (ValueError, "conv2d", lambda: cnnfast.compile(model, (1, 3, 28, 28))),
    ]:
        with pytest.raises(error, match=message):
            call()
    close(plan(good), model(good))


def test_an_unknown_result_shows_up_as_different(monkeypatch):
    """Were a step recorded that is not all kernels, the check after recording would drop it."""
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, rng=RNG), nn.AvgPool2d(3, 2, 1, count_include_pad=False)
    )
    x = RNG.standard_normal((1, 3, 8, 8)).astype(np.float32)
    monkeypatch.setattr(Program, "_checked", lambda self, step, values: step)
    assert not np.allclose(cnnfast.compile(model, x.shape)(x), model(x))
