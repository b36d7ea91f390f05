"""What layers refuse, and what they write of themselves."""

import numpy as np
import pytest

from cnnfast import nn


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: nn.Conv2d(4, 4, 3, stride=2, strict=True), "conv2d: strict: height 8 leaves 1"),
        (lambda: nn.MaxPool2d(3, strict=True), "max_pool2d: strict: height 8 leaves 2"),
        (lambda: nn.AvgPool2d(3, strict=True), "avg_pool2d: strict: height 8 leaves 2"),
        (lambda: nn.LPPool2d(2, 3, strict=True), "lp_pool2d: strict: height 8 leaves 2"),
    ],
)
def test_strict(layer, message):
    x = np.ones((1, 4, 8, 8), np.float32)
    for use in (layer(), layer().forward):
        with pytest.raises(ValueError, match=message):
            use(x)


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: nn.Conv2d(0, 4, 3), ValueError, "Conv2d: in_channels must be at least 1, got 0"),
        (lambda: nn.Conv2d(4, -1, 3), ValueError, "Conv2d: out_channels must be at least 1"),
        (lambda: nn.Conv2d(4, 4.0, 3), TypeError, "Conv2d: out_channels must be an integer"),
        (lambda: nn.Conv2d(4, 4, 3, groups=0), ValueError, "Conv2d: groups must be at least 1"),
        (lambda: nn.Conv2d(4, 6, 3, groups=4), ValueError, "must be multiples of groups 4"),
        (lambda: nn.Conv2d(4, 4, 0), ValueError, "Conv2d: kernel_size must be at least 1"),
        (lambda: nn.Conv2d(4, 4, (3, 3, 3)), ValueError, "Conv2d: kernel_size must be an int or"),
        (lambda: nn.Conv2d(4, 4, 3, stride=0), ValueError, "Conv2d: stride must be at least 1"),
        (lambda: nn.Conv2d(4, 4, 3, dilation=0), ValueError, "Conv2d: dilation must be at least 1"),
        (lambda: nn.Conv2d(4, 4, 3, padding=-1), ValueError, "Conv2d: padding must be at least 0"),
        (lambda: nn.Conv2d(4, 4, 3, padding=[]), ValueError, "Conv2d: padding must be"),
        (lambda: nn.Conv2d(4, 4, 3, padding="full"), ValueError, 'must be "same" or "valid"'),
        (lambda: nn.Conv2d(4, 4, 3, 2, "same"), ValueError, 'padding "same" needs stride 1'),
        (lambda: nn.Conv2d(4, 4, 3, dtype=int), TypeError, "dtype must be float32 or float64"),
        (lambda: nn.Conv1d(4, 4, (3, 3)), ValueError, "Conv1d: kernel_size must be an int, got"),
        (lambda: nn.Conv3d(4, 4, (3, 3)), ValueError, "Conv3d: kernel_size must be an int or thr"),
        (lambda: nn.Conv3d(4, 6, 3, groups=4), ValueError, "Conv3d: .* multiples of groups 4"),
        (lambda: nn.ConvTranspose2d(4, 4, 3, 0), ValueError, "stride must be at least 1, got 0"),
        (lambda: nn.ConvTranspose2d(4, 4, 3, 2, 0, 2), ValueError, "output_padding .* less than"),
        (lambda: nn.ConvTranspose1d(4, 4, 3, 2, 0, -1), ValueError, "output_padding must be at l"),
        (lambda: nn.ConvTranspose3d(0, 4, 3), ValueError, "ConvTranspose3d: in_channels must be"),
        (lambda: nn.LocallyConnected2d(4, 4, 5, 6), ValueError, "kernel_size .* spans 6 rows"),
        (lambda: nn.LocallyConnected2d(4, 4, 0, 1), ValueError, "input_size must be at least 1"),
        (lambda: nn.LocallyConnected2d(0, 4, 5, 1), ValueError, "in_channels must be at least 1"),
        (lambda: nn.MaxPool1d((2, 2)), ValueError, "MaxPool1d: kernel_size must be an int, got"),
        (lambda: nn.MaxPool3d(2, padding=2), ValueError, "MaxPool3d: padding .* at most half"),
        (lambda: nn.AvgPool3d((2, 2)), ValueError, "AvgPool3d: kernel_size must be an int or thr"),
        (lambda: nn.LPPool1d(2, 0), ValueError, "LPPool1d: kernel_size must be at least 1"),
        (lambda: nn.MaxPool2d(0), ValueError, "MaxPool2d: kernel_size must be at least 1"),
        (lambda: nn.MaxPool2d(2, 0), ValueError, "MaxPool2d: stride must be at least 1"),
        (lambda: nn.MaxPool2d(2, padding=2), ValueError, "MaxPool2d: padding .* at most half"),
        (lambda: nn.MaxPool2d(2, 2, 0, 1, False, False, True), TypeError, "positional"),
        (lambda: nn.AvgPool2d("2"), TypeError, "AvgPool2d: kernel_size must be an int"),
        (lambda: nn.LPPool2d(2, 2, -1), ValueError, "LPPool2d: stride must be at least 1"),
        (lambda: nn.Linear(0, 3), ValueError, "Linear: in_features must be at least 1, got 0"),
        (lambda: nn.Linear(3, "3"), TypeError, "Linear: out_features must be an integer"),
        (lambda: nn.Linear(3, 3, dtype=np.float16), TypeError, "dtype must be float32 or float64"),
        (lambda: nn.Dropout(1.5), ValueError, "Dropout: p must be in 0..1, got 1.5"),
    ],
)
def test_bad_constructor_arguments(build, error, message):
    with pytest.raises(error, match=message):
        build()


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (nn.Conv1d(2, 4, 3, groups=2), "2, 4, kernel_size=(3,), stride=(1,), groups=2"),
        (
            nn.Conv3d(1, 1, 1, dilation=(1, 2, 1), bias=False, strict=True),
            "1, 1, kernel_size=(1, 1, 1), stride=(1, 1, 1), dilation=(1, 2, 1), bias=False, "
            "strict=True",
        ),
        (
            nn.ConvTranspose2d(1, 2, 3, 2, 1, (0, 1)),
            "1, 2, kernel_size=(3, 3), stride=(2, 2), padding=1, output_padding=(0, 1)",
        ),
        (nn.MaxPool3d(2, padding=1), "kernel_size=2, stride=2, padding=1"),
    ],
)
def test_texts(layer, text):
    assert repr(layer) == f"{type(layer).__name__}({text})"
