"""A loader that goes on from a saved state gives what the one that was not interrupted gives."""

import json

import numpy as np
import pytest

from cnnfast.data import DataLoader
from cnnfast.data.transforms import Compose, RandomCrop, RandomHorizontalFlip

IMAGES = np.random.default_rng(0).random((22, 3, 8, 8), np.float32)
LABELS = np.arange(22)
AUGMENT = Compose([RandomCrop(8, padding=2), RandomHorizontalFlip()])


def make(seed=0, **options):
    settings = {"batch_size": 4, "shuffle": True, "transform": AUGMENT} | options
    return DataLoader(IMAGES, LABELS, seed=seed, **settings)


def taken(batches):
    return [(images.tobytes(), labels.tolist()) for images, labels in batches]


@pytest.mark.parametrize("workers", [(0, 0), (2, 0), (0, 2), (3, 1)])
@pytest.mark.parametrize("options", [{}, {"transform": None}, {"shuffle": False}])
def test_from_any_batch(workers, options):
    whole = make(**options)
    epochs = [taken(whole) for _ in range(3)]
    for position in range(7):
        loader = make(workers=workers[0], **options)
        assert taken(loader) == epochs[0]
        batches = iter(loader)
        assert taken(next(batches) for _ in range(position)) == epochs[1][:position]
        state = json.loads(json.dumps(loader.state_dict()))
        assert state["position"] == position
        batches.close()

        resumed = make(seed=99, workers=workers[1], **options)
        resumed.load_state_dict(state)
        assert resumed.state_dict() == state
        assert len(resumed) == 6
        assert taken(resumed) == epochs[1][position:]
        assert taken(resumed) == epochs[2]


def test_between_epochs():
    loader = make()
    epochs = [taken(loader) for _ in range(2)]
    first, second = make(), make(seed=99)
    second.load_state_dict(first.state_dict())
    assert taken(second) == epochs[0]
    assert second.state_dict()["position"] == 0
    third = make(seed=99)
    third.load_state_dict(second.state_dict())
    assert taken(third) == epochs[1]


def test_of_a_resumed_epoch():
    expected = taken(make())
    loader = make()
    for position in range(6):
        state = loader.state_dict()
        assert state["position"] == position
        loader = make(seed=99)
        loader.load_state_dict(state)
        assert taken([next(iter(loader))]) == [expected[position]]


def test_an_epoch_left_early_is_not_gone_on_with():
    whole, loader = make(), make()
    epochs = [taken(whole) for _ in range(2)]
    for _ in loader:
        break
    assert loader.state_dict()["position"] == 1
    assert taken(loader) == epochs[1]


def test_of_the_newest_of_two_iterations():
    loader = make()
    first, second = iter(loader), iter(loader)
    next(first), next(first), next(second)
    assert loader.state_dict()["position"] == 1
    list(first)
    assert loader.state_dict()["position"] == 1
    list(second)
    assert loader.state_dict()["position"] == 0


def test_loading_in_mid_epoch():
    loader = make()
    state = loader.state_dict()
    expected = taken(loader)
    next(iter(loader))
    loader.load_state_dict(state)
    assert loader.state_dict() == state
    assert taken(loader) == expected


def test_another_kind_of_generator():
    loader = make(np.random.Generator(np.random.MT19937(5)))
    state = loader.state_dict()
    expected = taken(loader)
    loader.load_state_dict(state)
    assert taken(loader) == expected
    with pytest.raises(ValueError, match=r"DataLoader: this state cannot be loaded: .*PCG64"):
        make().load_state_dict(state)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": 21}, "it is of images 21, this loader has 22"),
        ({"batch_size": 5}, "it is of batch_size 5, this loader has 4"),
        ({"position": 7}, "it is at batch 7 of 6"),
        ({"position": -1}, "position must be at least 0, found -1"),
        ({"position": "1"}, "position must be an integer, found '1'"),
        ({"generator": None}, "this state cannot be loaded: ."),
    ],
)
def test_states_of_others(change, words):
    loader = make()
    expected = taken(make())
    with pytest.raises(ValueError, match=words):
        loader.load_state_dict(loader.state_dict() | change)
    assert taken(loader) == expected  # nothing was changed
    with pytest.raises(ValueError, match="this state cannot be loaded: 'position'"):
        loader.load_state_dict({})
