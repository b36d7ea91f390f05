"""Parameters: their data changes only where the version does."""

import copy
import pickle
import threading

import numpy as np
import pytest

import cnnfast
from cnnfast import nn
from cnnfast.nn import Parameter


def test_owns_a_copy():
    source = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    p = Parameter(source)
    source[0, 0] = 99
    assert p.data.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert p.data.flags.c_contiguous
    assert p.data.ctypes.data % 64 == 0
    assert (p.shape, p.dtype, p.size) == ((2, 3), np.float32, 6)
    assert p.requires_grad
    assert p.grad is None
    assert p.version == 0


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (4,), (2, 3, 1, 5)])
def test_data_cannot_be_written_nor_made_writeable(shape):
    p = Parameter(np.zeros(shape))
    assert p.data.shape == shape
    with pytest.raises(AttributeError):
        p.data = np.ones(shape)
    for view in (p.data, p.data[...], p.data.view(), p.data.T, np.asarray(p.data)):
        with pytest.raises(ValueError, match="read-only"):
            view[...] = 1
        with pytest.raises(ValueError, match="WRITEABLE"):
            view.setflags(write=True)
        with pytest.raises(ValueError, match="WRITEABLE"):
            view.flags.writeable = True
    with pytest.raises(ValueError, match="read-only"):
        np.add(p.data, 1, out=p.data)
    base = p.data
    while isinstance(base, np.ndarray):
        assert not base.flags.writeable
        base = base.base
    assert memoryview(base).readonly


def test_assign_copies_and_raises_the_version():
    p = Parameter(np.zeros(3))
    view, values = p.data, np.ones(3)
    p.assign(values)
    values[0] = 5
    assert view.tolist() == p.data.tolist() == [1, 1, 1]
    assert p.version == 1
    p.assign(p.data * 2)
    assert view.tolist() == [2, 2, 2]
    assert p.version == 2


def test_assign_of_what_does_not_fit_changes_nothing():
    p = Parameter(np.zeros(3))
    with pytest.raises(ValueError, match=r"Parameter.assign: the array has shape \(1,\)"):
        p.assign(np.ones(1))
    with pytest.raises(TypeError, match=r"Parameter.assign: array is float32 but data is float64"):
        p.assign(np.ones(3, np.float32))
    with pytest.raises(TypeError, match=r"Parameter.assign: the array must be a NumPy array"):
        p.assign([1, 2, 3])
    assert p.version == 0
    assert not p.data.any()


def test_writable_lends_a_view():
    p = Parameter(np.zeros(3))
    with p.writable() as w:
        w[1] = 7
        w += 1
    assert p.data.tolist() == [1, 8, 1]
    assert p.version == 1
    with pytest.raises(ValueError, match="read-only"):
        w[0] = 0


def test_writable_raises_the_version_when_its_block_raises():
    p = Parameter(np.zeros(3))

    def fail():
        with p.writable() as w:
            w[0] = 1
            w[5] = 1

    with pytest.raises(IndexError):
        fail()
    assert p.data.tolist() == [1, 0, 0]
    assert p.version == 1


def test_gradients_add_up_and_are_checked():
    p = Parameter(np.zeros(2, np.float32))
    one = np.ones(2, np.float32)
    p.accumulate(one.copy())
    p.accumulate(one)
    assert p.grad.tolist() == [2, 2]
    p.grad = None
    assert p.grad is None
    p.grad = one
    assert p.grad is one
    assert p.version == 0
    with pytest.raises(ValueError, match=r"Parameter.grad: the array has shape \(3,\)"):
        p.grad = np.ones(3, np.float32)
    with pytest.raises(ValueError, match=r"Parameter.accumulate: the array has shape \(1,\)"):
        p.accumulate(np.ones(1, np.float32))
    with pytest.raises(TypeError, match="array is float64 but data is float32"):
        p.grad = np.ones(2)
    with pytest.raises(TypeError, match="array is float64 but data is float32"):
        p.accumulate(np.ones(2))


def test_no_update_is_lost_between_threads():
    p = Parameter(np.zeros(20_000))
    start = threading.Barrier(4)

    def work():
        start.wait()
        for _ in range(50):
            p.accumulate(np.ones(20_000))
            with p.writable():
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (p.grad == 200).all()
    assert p.version == 200


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))]
)
def test_copies_are_independent(duplicate):
    p = Parameter(np.arange(3.0), requires_grad=False)
    p.assign(np.ones(3))
    p.grad = np.ones(3)
    other = duplicate(p)
    assert other.data.tolist() == [1, 1, 1]
    assert not other.requires_grad
    assert other.grad is None
    assert other.version == p.version == 1
    other.assign(np.zeros(3))
    other.accumulate(np.ones(3))
    assert p.data.tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match="read-only"):
        other.data[0] = 1


def test_only_float_arrays():
    with pytest.raises(TypeError, match="Parameter: data must be float32 or float64, got int64"):
        Parameter(np.arange(3))
    with pytest.raises(TypeError, match="Parameter: data must be a NumPy array, got list"):
        Parameter([1.0])


def test_repr():
    assert repr(Parameter(np.zeros((2, 3)))) == "Parameter(shape=(2, 3), dtype=float64)"
    frozen = Parameter(np.zeros(1, np.float32), requires_grad=False)
    assert repr(frozen) == "Parameter(shape=(1,), dtype=float32, requires_grad=False)"


def test_who_watches_sees_each_gradient_gathered():
    p, seen = Parameter(np.zeros(2)), []
    p.on_gradient = lambda parameter: seen.append(parameter.grad.tolist())
    p.accumulate(np.ones(2))
    p.accumulate(np.ones(2))
    assert seen == [[1, 1], [2, 2]]
    assert copy.deepcopy(p).on_gradient is None


def filled_later():
    """A parameter that counts from 1, and the list that gets an entry when it is filled."""
    filled = []

    def fill(values):
        filled.append(1)
        values[...] = np.arange(1, 4)

    return Parameter.filled_later((3,), np.dtype(np.float32), fill), filled


def test_first_values_come_when_they_are_wanted_and_once():
    p, filled = filled_later()
    assert (p.shape, p.dtype, p.size, p.version) == ((3,), np.float32, 3, 0)
    assert not filled
    assert p.data.tolist() == p.data.tolist() == [1, 2, 3]
    assert filled == [1]
    assert copy.deepcopy(filled_later()[0]).data.tolist() == [1, 2, 3]
    p, _ = filled_later()
    with p.writable() as values:
        values += 1
    assert p.data.tolist() == [2, 3, 4]
    p, _ = filled_later()
    p._convert(np.dtype(np.float64))
    assert (p.data.tolist(), p.dtype) == ([1, 2, 3], np.float64)


def test_what_is_assigned_takes_the_place_of_first_values():
    p, filled = filled_later()
    p.assign(np.zeros(3, np.float32))
    assert p.data.tolist() == [0, 0, 0]
    assert not filled
    with pytest.raises(ValueError, match="shape"):
        filled_later()[0].assign(np.zeros(2, np.float32))


def test_threads_fill_it_once():
    p, filled = filled_later()
    threads = [threading.Thread(target=lambda: p.data) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert filled == [1]


def test_layers_without_a_generator_draw_on_demand():
    first, second = (nn.Linear(5, 4).weight for _ in range(2))
    assert (first.data != second.data).any()
    assert nn.Linear(5, 4, rng=np.random.default_rng(0)).weight.data.std() > 0
    with pytest.raises(TypeError, match="dtype must be float32 or float64"):
        nn.Linear(5, 4, dtype=np.int32)


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(16, 16, 3, padding=1), nn.Linear(64, 64)], ids=["conv", "linear"]
)
def test_what_is_packed_stays_only_where_the_weights_do(layer):
    x = np.ones((64, 64) if isinstance(layer, nn.Linear) else (8, 16, 16, 16), np.float32)

    def kept(training, requires_grad):
        layer.train(training).requires_grad_(requires_grad)
        with layer.weight.writable():  # which forgets what was packed before
            pass
        before = cnnfast.memory_stats()["in_use"]
        layer.forward(x)
        return cnnfast.memory_stats()["in_use"] - before

    layer(x)
    assert kept(training=True, requires_grad=True) <= 0
    assert kept(training=True, requires_grad=False) > 0
    assert kept(training=False, requires_grad=True) > 0
    layer.train().requires_grad_()
    assert (layer.forward(x)[0] == layer(x)).all()
