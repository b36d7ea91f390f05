"""Networks from layer patterns such as ``INPUT -> [CONV -> RELU -> POOL]*2 -> FC``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from cnnfast.models._layers import Layers
from cnnfast.models._network import Network
from cnnfast.models._pattern_syntax import Token, fail, parse
from cnnfast.nn import Flatten, MaxPool2d, Module, ReLU
from cnnfast.nn.module import positive


def from_pattern(
    pattern: str,
    input_shape: Sequence[int],
    num_classes: int = 10,
    *,
    channels: int | Sequence[int] = 64,
    kernel_size: int = 3,
    fc_features: int | Sequence[int] = 512,
    dropout: float = 0.5,
    rng: np.random.Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Make a network from the pattern of its layers, with the usual rules for their sizes.

    A pattern is ``INPUT``, and then layers with ``->`` between them:

    ============  ============================================================================
    ``CONV``      3x3 filters with stride 1 and padding 1, which keep the map's size
    ``RELU``      the activation
    ``POOL``      2x2 max pooling with stride 2
    ``POOL?``     the same, if both sides of the map are even and larger than the last filter
    ``FC``        a fully connected layer; the last one gives the scores
    ``BN``        batch normalisation
    ``DROPOUT``   dropout
    ``[...]*3``   what is in the brackets, three times over; ``*0`` leaves it out
    ============  ============================================================================

    Images become features, by a `Flatten`, before the first ``FC``.

    Parameters
    ----------
    pattern : str
    input_shape : (C, H, W)
        Of one image.
    num_classes : int
        Scores, hence features of the last ``FC``.
    channels : int or sequence of int
        Filters of the convolutions before the first pool, between it and the second, and so on;
        a single number is doubled by every pool.
    kernel_size : int
        Rows and columns of the filters, an odd number; padding is (kernel_size - 1) / 2.
    fc_features : int or sequence of int
        Features of each ``FC`` but the last; a single number is for all of them.
    dropout : float
        Probability.
    rng : numpy.random.Generator, optional
        Where the initial weights and the dropped elements come from; None makes a fresh one.
    dtype : float32 or float64
        Of the parameters, hence of the images.

    Returns
    -------
    Network
        Layers named ``conv1``, ``relu1``, ...; its head is the last ``FC``.

    Raises
    ------
    ValueError
        The pattern is none, or a layer does not fit where it is: the message quotes the pattern and
        points at the place. Or another argument does not fit the pattern.

    References
    ----------
    A. Karpathy, "Convolutional networks", notes of the course CS231n: layer patterns and layer
    sizing patterns.

    Examples
    --------
    >>> model = from_pattern(
    ...     "INPUT -> [[CONV -> RELU]*2 -> POOL?]*3 -> [FC -> RELU]*2 -> FC", (3, 32, 32)
    ... )
    >>> model.conv6
    Conv2d(256, 256, kernel_size=(3, 3), stride=(1, 1), padding=1)
    >>> model(np.zeros((1, 3, 32, 32), np.float32)).shape, model.head
    ((1, 10), Linear(512, 10))
    >>> from_pattern("INPUT -> [CONV - RELU]*2 -> FC", (3, 32, 32))
    Traceback (most recent call last):
        ...
    ValueError: from_pattern: expected '->' or ']', got '-'
      INPUT -> [CONV - RELU]*2 -> FC
                     ^
    """
    if len(input_shape) != 3:
        raise ValueError(f"from_pattern: input_shape must be (C, H, W), got {input_shape}")
    c, h, w = (positive("from_pattern", "input_shape", n) for n in input_shape)
    if positive("from_pattern", "kernel_size", kernel_size) % 2 == 0:
        raise ValueError(f"from_pattern: kernel_size must be odd, got {kernel_size}")
    kinds = _fitting(pattern, h, w, kernel_size)
    builder = _Builder((c, h, w), Layers(rng, dtype), kernel_size, dropout)
    builder.filters = _each("channels", channels, _stages(kinds), growth=2)
    builder.features = _each("fc_features", fc_features, kinds.count("FC") - 1)
    builder.features.append(num_classes)
    for kind in kinds:
        builder.add(kind)
    return Network(builder.layers, head=f"fc{builder.numbers['FC']}")


def _fitting(pattern: str, h: int, w: int, kernel_size: int) -> list[str]:
    """Give the kinds of the layers, without those pools that a map of h x w is not to have."""
    kinds, last_filter = [], 1
    for kind, optional, token in parse(pattern):
        if kind in ("CONV", "POOL") and "FC" in kinds:
            fail(pattern, token, f"{kind} behind FC, where there are features and no maps")
        if kind == "CONV":
            last_filter = kernel_size
        elif kind == "POOL":
            if optional and (h % 2 or w % 2 or min(h, w) <= last_filter):
                continue
            if min(h, w) < 2:
                fail(pattern, token, f"POOL takes 2x2 windows, but the map is {h}x{w} by then")
            h, w = h // 2, w // 2
        kinds.append(kind)
    if "FC" not in kinds:
        fail(pattern, Token("", len(pattern.rstrip())), "expected an FC for the scores")
    return kinds


def _stages(kinds: list[str]) -> int:
    """Into how many stages pools divide the convolutions; one without any counts, too."""
    pools = [kinds[:i].count("POOL") for i, kind in enumerate(kinds) if kind == "CONV"]
    return pools[-1] + 1 if pools else 0


def _each(name: str, given: int | Sequence[int], count: int, growth: int = 1) -> list[int]:
    """Give `count` numbers: those given or, if it is one, that one growing."""
    if isinstance(given, Sequence):
        if len(given) != count:
            raise ValueError(
                f"from_pattern: {name} must be one number or {count}, for the pattern has so many "
                f"{_COUNTED[name]}; got {given}"
            )
        return list(given)
    first = positive("from_pattern", name, given)
    return [first * growth**i for i in range(count)]


_COUNTED = {"channels": "stages between pools", "fc_features": "FC before the last"}


class _Builder:
    """Makes one layer after the other, and keeps account of the sizes."""

    #: For the convolutions of each stage, and for each FC.
    filters: list[int]
    features: list[int]

    def __init__(
        self, image: tuple[int, int, int], make: Layers, kernel_size: int, dropout: float
    ) -> None:
        self.channels, self.height, self.width = image
        self.make, self.kernel_size, self.dropout = make, kernel_size, dropout
        self.layers: dict[str, Module] = {}
        self.numbers: Counter[str] = Counter()

    def add(self, kind: str) -> None:
        if kind == "FC" and not self.numbers["FC"]:
            self.layers["flatten"] = Flatten()
            self.channels *= self.height * self.width
        layer = _MAKERS[kind](self)
        self.numbers[kind] += 1
        self.layers[f"{kind.lower()}{self.numbers[kind]}"] = layer

    def conv(self) -> Module:
        before, self.channels = self.channels, self.filters[self.numbers["POOL"]]
        padding = self.kernel_size // 2
        return self.make.conv(before, self.channels, self.kernel_size, 1, padding)

    def pool(self) -> Module:
        self.height, self.width = self.height // 2, self.width // 2
        return MaxPool2d(2)

    def fc(self) -> Module:
        before, self.channels = self.channels, self.features[self.numbers["FC"]]
        return self.make.linear(before, self.channels)

    def norm(self) -> Module:
        make = self.make.feature_norm if self.numbers["FC"] else self.make.norm
        return make(self.channels)

    def relu(self) -> Module:
        return ReLU()

    def drop(self) -> Module:
        return self.make.dropout(self.dropout)


_MAKERS = {
    "CONV": _Builder.conv,
    "RELU": _Builder.relu,
    "POOL": _Builder.pool,
    "FC": _Builder.fc,
    "BN": _Builder.norm,
    "DROPOUT": _Builder.drop,
}
