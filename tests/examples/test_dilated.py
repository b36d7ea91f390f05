"""The example of dilated convolutions."""

import numpy as np
import pytest

from cnnfast.nn import Conv2d, Sequential
from examples import dilated


def test_the_table(capsys):
    dilated.main(["--layers", "4"])
    header, *lines = capsys.readouterr().out.splitlines()
    for n, line in enumerate(lines, 1):
        dilated_, plain = 2 ** (n + 1) - 1, 2 * n + 1
        assert [int(word) for word in line.split() if word != "x"] == [
            *(n, 2 ** (n - 1), 9 * n, dilated_, dilated_, dilated_, dilated_, plain, plain)
        ]
    assert {len(line) for line in lines} == {len(header)}


def test_a_layer_that_sees_less_is_noticed(monkeypatch):
    def blind(dilations, rng):
        model = Sequential(*[Conv2d(1, 1, 3, padding="same", dtype=np.float64) for _ in dilations])
        model[0].dilation = (5, 5)
        return model

    monkeypatch.setattr(dilated, "stack", blind)
    monkeypatch.setattr(dilated, "receptive_field", lambda model: 3)
    with pytest.raises(AssertionError, match="computed 3, measured"):
        dilated.main(["--layers", "1"])
