"""Which instruction set runs: the best there is, or the one asked for, and never another."""

import numpy as np
import pytest

from cnnfast import nn
from cnnfast._ext import dispatch
from cnnfast.functional import conv2d
from tests import oracle
from tests.helpers import assert_close, assert_same, integers, random, run_python, using_isa

ISAS = dispatch.supported_isas()
CHOSEN = "from cnnfast._ext import dispatch; print(dispatch.chosen_isa())"


def test_every_machine_has_the_baseline():
    assert ISAS[-1] == "baseline"
    assert len(set(ISAS)) == len(ISAS)
    assert set(ISAS) <= set(dispatch.KNOWN)


def test_the_compiler_is_named():
    assert any(character.isdigit() for character in dispatch.compiler())


def test_the_best_is_chosen_at_import():
    for environment in ({}, {"CNNFAST_ISA": ""}):
        found = run_python(CHOSEN, **environment)
        assert found.returncode == 0, found.stderr
        assert found.stdout.strip() == ISAS[0]


@pytest.mark.parametrize("name", ISAS)
def test_the_environment_chooses(name):
    script = (
        "import numpy as np\n"
        "from cnnfast.functional import conv2d\n"
        "x, weight = np.ones((1, 3, 5, 20), 'f4'), np.ones((40, 3, 3, 3), 'f4')\n"
        "assert (conv2d(x, weight) == 27).all()\n"
    )
    found = run_python(script + CHOSEN, CNNFAST_ISA=name)
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == name


@pytest.mark.parametrize("name", ["sse9", "AVX2", " avx2", *set(dispatch.KNOWN) - set(ISAS)])
def test_never_another_than_was_asked_for(name):
    reason = "cannot run it" if name in dispatch.KNOWN else "none of that name"
    found = run_python(CHOSEN, CNNFAST_ISA=name)
    assert found.returncode != 0
    assert found.stdout == ""
    message = found.stderr.splitlines()[-1]
    assert message.startswith(f"ValueError: CNNFAST_ISA: {name!r}")
    assert reason in message
    assert message.endswith(f"choose one of {', '.join(ISAS)}")

    before = dispatch.chosen_isa()
    with pytest.raises(ValueError, match=f"{reason}; choose one of {', '.join(ISAS)}$"):
        dispatch.choose_isa(name)
    assert dispatch.chosen_isa() == before


def test_choosing_while_running():
    x, weight = integers(2, 5, 6, 7), integers(9, 5, 3, 3, seed=1)
    before, y = dispatch.chosen_isa(), conv2d(x, weight)
    for name in ISAS:
        with using_isa(name):
            assert dispatch.chosen_isa() == name
            assert_same(conv2d(x, weight), y)
    assert dispatch.chosen_isa() == before


@pytest.mark.parametrize("algorithm", ["direct", "winograd"])
def test_filters_packed_for_one_serve_no_other(algorithm):
    layer = nn.Conv2d(16, 40, 3, algorithm=algorithm)
    x = random(2, 16, 9, 10, dtype=np.float32)
    want = oracle.conv2d(x, layer.weight.data, layer.bias.data)
    scale = oracle.conv2d_scale(x, layer.weight.data, layer.bias.data)
    for name in (*ISAS, *reversed(ISAS)):
        with using_isa(name):
            assert_close(layer(x), want, scale, 6e-6)
