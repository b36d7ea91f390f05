"""The batch loader: what is in the batches, in which order, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfast.data import DataLoader


def make(count):
    """Give images that tell which one they are, and their labels."""
    labels = np.arange(count)
    images = np.broadcast_to(labels[:, None, None, None], (count, 3, 4, 5)).astype(np.float32)
    return images, labels


def epoch(loader):
    """Give the labels of one epoch, batch by batch, once images are seen to go with them."""
    batches = []
    for images, labels in loader:
        assert images.shape == (len(labels), 3, 4, 5)
        assert images.dtype == np.float32
        assert (images == labels[:, None, None, None]).all()
        batches.append(labels.tolist())
    return batches


def flat(batches):
    return [label for batch in batches for label in batch]


def test_in_order_one_by_one_by_default():
    assert epoch(DataLoader(*make(3))) == [[0], [1], [2]]


@given(
    count=st.integers(0, 40),
    batch_size=st.integers(1, 45),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
)
def test_every_image_once(count, batch_size, shuffle, drop_last):
    loader = DataLoader(*make(count), batch_size, shuffle=shuffle, seed=0, drop_last=drop_last)
    batches = epoch(loader)
    assert len(loader) == len(batches)
    kept = count - count % batch_size if drop_last else count
    seen = flat(batches)
    assert len(seen) == kept == len(set(seen))
    assert all(len(batch) == batch_size for batch in batches[:-1])
    if not shuffle:
        assert seen == list(range(kept))


def test_last_batch_is_kept_unless_dropped():
    assert epoch(DataLoader(*make(5), batch_size=2)) == [[0, 1], [2, 3], [4]]
    assert epoch(DataLoader(*make(5), batch_size=2, drop_last=True)) == [[0, 1], [2, 3]]


def test_epochs_differ_and_follow_from_the_seed():
    first, second = (DataLoader(*make(50), 8, shuffle=True, seed=3) for _ in range(2))
    epochs = [epoch(first) for _ in range(3)]
    assert epochs == [epoch(second) for _ in range(3)]
    assert len({tuple(flat(batches)) for batches in epochs}) == 3
    assert epoch(DataLoader(*make(50), 8, shuffle=True, seed=4)) != epochs[0]


def test_without_a_seed_orders_differ():
    first, second = (DataLoader(*make(50), 8, shuffle=True) for _ in range(2))
    assert epoch(first) != epoch(second)


def test_generator_as_seed():
    first, second = (
        DataLoader(*make(50), 8, shuffle=True, seed=np.random.default_rng(3)) for _ in range(2)
    )
    assert epoch(first) == epoch(second)


def test_two_iterations_at_once():
    loader = DataLoader(*make(20), 3, shuffle=True, seed=0)
    pairs = list(zip(loader, loader, strict=True))
    for side in range(2):
        assert sorted(flat(pair[side][1].tolist() for pair in pairs)) == list(range(20))


@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_are_copies(shuffle):
    images, labels = make(6)
    images.flags.writeable = labels.flags.writeable = False
    for batch_images, batch_labels in DataLoader(images, labels, 4, shuffle=shuffle, seed=0):
        batch_images[:] = -1
        batch_labels[:] = -1
    np.testing.assert_array_equal(images, make(6)[0])


def test_memory_order_of_the_images_is_kept():
    images, labels = make(6)
    channels_last = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    for batch_images, _ in DataLoader(channels_last, labels, 4, shuffle=True, seed=0):
        assert batch_images.transpose(0, 2, 3, 1).flags.c_contiguous
    for batch_images, _ in DataLoader(images, labels, 4, shuffle=True, seed=0):
        assert batch_images.flags.c_contiguous


def test_memory_map(tmp_path):
    images, labels = make(6)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert epoch(DataLoader(mapped, labels, batch_size=4)) == [[0, 1, 2, 3], [4, 5]]


def test_lengths_must_agree():
    images, labels = make(6)
    with pytest.raises(ValueError, match=r"DataLoader: .* found 6 images and 5 labels"):
        DataLoader(images, labels[:5])


def test_arrays_are_required():
    images, labels = make(2)
    with pytest.raises(TypeError, match="DataLoader: images must be a NumPy array, found list"):
        DataLoader(images.tolist(), labels)
    with pytest.raises(TypeError, match="DataLoader: labels must be a NumPy array, found list"):
        DataLoader(images, labels.tolist())
    with pytest.raises(ValueError, match="DataLoader: labels must have a batch dimension"):
        DataLoader(images, np.array(3))


@pytest.mark.parametrize("batch_size", [0, -1])
def test_batch_size_must_be_positive(batch_size):
    with pytest.raises(ValueError, match=f"batch_size must be at least 1, found {batch_size}"):
        DataLoader(*make(2), batch_size=batch_size)


@pytest.mark.parametrize("batch_size", [1.0, "2", None])
def test_batch_size_must_be_an_integer(batch_size):
    with pytest.raises(TypeError, match="batch_size must be an integer"):
        DataLoader(*make(2), batch_size=batch_size)


def test_batch_size_may_be_a_numpy_integer():
    assert len(DataLoader(*make(5), batch_size=np.int32(2))) == 3


@pytest.mark.parametrize(("seed", "error"), [(-1, ValueError), (1.5, TypeError)])
def test_seed_must_be_a_seed(seed, error):
    with pytest.raises(error, match=f"DataLoader: seed {seed} is not a seed"):
        DataLoader(*make(2), shuffle=True, seed=seed)


@pytest.mark.parametrize(("name", "least"), [("workers", 0), ("prefetch", 1)])
def test_threads_are_a_number(name, least):
    with pytest.raises(ValueError, match=f"DataLoader: {name} must be at least {least}, found -1"):
        DataLoader(*make(2), **{name: -1})
    with pytest.raises(TypeError, match=f"DataLoader: {name} must be an integer, found 1.5"):
        DataLoader(*make(2), **{name: 1.5})


def test_transform():
    with pytest.raises(TypeError, match="DataLoader: transform must be callable, found 'flip'"):
        DataLoader(*make(2), transform="flip")
    draws = []

    def negative(images, rng):
        draws.append(rng.random())
        images *= -1  # a copy, which may be changed
        return images

    images, labels = make(5)
    loader = DataLoader(images, labels, 2, transform=negative, seed=0)
    for _ in range(2):
        batches = [batch_images for batch_images, _ in loader]
        np.testing.assert_array_equal(np.concatenate(batches), -make(5)[0])
    assert len(set(draws)) == 6  # other draws for each batch, and each epoch


def test_orders_are_permutations_from_the_generator():
    loader, rng = DataLoader(*make(50), 50, shuffle=True, seed=3), np.random.default_rng(3)
    for _ in range(3):
        assert flat(epoch(loader)) == rng.permutation(50).tolist()


def test_a_transform_leaves_the_order_alone():
    plain, transformed = (
        DataLoader(*make(50), 8, shuffle=True, seed=3, transform=transform)
        for transform in (None, lambda images, rng: images)
    )
    assert epoch(plain) == epoch(transformed)


# ---------------------------------------------------------------------------- parts


class Watched:
    """Images that note which of them were asked for."""

    def __init__(self, images):
        self.images, self.shape, self.asked_for = images, images.shape, []

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        self.asked_for += index.tolist()
        return self.images[index]


def noise(images, rng):
    return images + rng.random(images.shape, np.float32)


CUTS = {
    "all": lambda count: slice(None),
    "first": lambda count: slice(1),
    "middle": lambda count: slice(count // 3, 2 * count // 3 + 1),
    "last": lambda count: slice(-5, None),
    "every other": lambda count: np.arange(0, count, 2),
}


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("transform", [None, noise])
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_parts_are_those_of_whole_batches(cut, transform, workers):
    whole, parts = (
        DataLoader(*make(230), 100, shuffle=True, seed=3, transform=transform, workers=workers)
        for _ in range(2)
    )
    for _ in range(2):
        for (images, labels), part in zip(whole, parts.parts(cut), strict=True):
            np.testing.assert_array_equal(part[0], images[cut(len(images))])
            np.testing.assert_array_equal(part[1], labels[cut(len(labels))])
    assert whole.state_dict() == parts.state_dict()


@pytest.mark.parametrize("transform", [None, noise])
def test_only_a_part_is_prepared(transform):
    images, labels = make(400)
    watched = Watched(images)
    loader = DataLoader(watched, labels, 200, transform=transform)
    assert [y.tolist() for _, y in loader.parts(lambda count: slice(70, 90))] == [
        list(range(70, 90)),
        list(range(270, 290)),
    ]
    # What is transformed with them are 64 images of each batch.
    first, last = (70, 90) if transform is None else (64, 128)
    assert watched.asked_for == [*range(first, last), *range(200 + first, 200 + last)]


def test_transformed_images_keep_their_memory_order():
    images, labels = make(100)
    channels_last = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    loader = DataLoader(channels_last, labels, 100, transform=lambda images, rng: images + 1)
    for batch_images, _ in loader:
        assert batch_images.transpose(0, 2, 3, 1).flags.c_contiguous
