"""Schedules against what torch.optim.lr_scheduler (2.13) gave for the same arguments."""

import json
import math

import numpy as np
import pytest

from cnnfast import optim
from cnnfast.nn import Parameter


def sgd(lr=0.1):
    return optim.SGD([Parameter(np.zeros(1))], lr, momentum=0.9)


def adam():
    return optim.Adam([Parameter(np.zeros(1))], 0.1)


SCHEDULES = {
    "step": lambda o: optim.StepLR(o, 3, 0.5),
    "multi": lambda o: optim.MultiStepLR(o, [7, 2, 2], 0.3),
    "cosine": lambda o: optim.CosineAnnealingLR(o, 5, 0.01),
    "cosine to 0": lambda o: optim.CosineAnnealingLR(o, 9),
    "warm-up": lambda o: optim.LinearLR(o),
    "line": lambda o: optim.LinearLR(o, 0.01, 0.5, 7),
    "one cycle": lambda o: optim.OneCycleLR(o, 0.5, 20),
    "three phases": lambda o: optim.OneCycleLR(
        o, 0.5, epochs=4, steps_per_epoch=5, three_phase=True, anneal_strategy="linear"
    ),
    "one cycle of the rate": lambda o: optim.OneCycleLR(
        o, 0.5, 20, cycle_momentum=False, pct_start=0.55, div_factor=10, final_div_factor=100
    ),
    "only down": lambda o: optim.OneCycleLR(o, 0.5, 20, pct_start=0.0),
    "warm-up and cosine": lambda o: optim.SequentialLR(
        o, [optim.LinearLR(o, 0.1, total_iters=4), optim.CosineAnnealingLR(o, 10)], [4]
    ),
    "three in a row": lambda o: optim.SequentialLR(
        o,
        [
            optim.LinearLR(o, 0.1, 0.5, total_iters=4),
            optim.StepLR(o, 3),
            optim.MultiStepLR(o, [2, 5]),
        ],
        [3, 10],
    ),
}
# fmt: off
TORCH = {
    "step": [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.025, 0.0125, 0.0125, 0.0125, 0.00625],
    "multi": [0.1, 0.1, 0.009, 0.009, 0.009, 0.009, 0.009,
              0.0027, 0.0027, 0.0027, 0.0027, 0.0027, 0.0027],
    "cosine": [0.1, 0.0914058, 0.0689058, 0.0410942, 0.0185942, 0.01, 0.0185942, 0.0410942,
               0.0689058, 0.0914058, 0.1, 0.0914058, 0.0689058],
    "cosine to 0": [0.1, 0.0969846, 0.0883022, 0.075, 0.0586824, 0.0413176, 0.025, 0.0116978,
                    0.00301537, 0.0, 0.00301537, 0.0116978, 0.025],
    "warm-up": [0.0333333, 0.0466667, 0.06, 0.0733333, 0.0866667, *[0.1] * 8],
    "line": [0.001, 0.008, 0.015, 0.022, 0.029, 0.036, 0.043, *[0.05] * 6],
    "one cycle": [0.02, 0.0658359, 0.185836, 0.334164, 0.454164, 0.5, 0.493732, 0.475242,
                  0.445458, 0.405873, 0.358472, 0.305631, 0.250001],
    "three phases": [0.02, 0.116, 0.212, 0.308, 0.404, 0.5, 0.404, 0.308, 0.212, 0.116, 0.02,
                     0.017778, 0.015556],
    "one cycle of the rate": [0.05, 0.0610123, 0.0929712, 0.142748, 0.205471, 0.275, 0.344529,
                              0.407252, 0.457029, 0.488988, 0.5, 0.484938, 0.44157],
    "only down": [0.496922, 0.487764, 0.472752, 0.452254, 0.426777, 0.396947, 0.363498, 0.327255,
                  0.289109, 0.250001, 0.210893, 0.172747, 0.136504],
    "warm-up and cosine": [0.01, 0.0325, 0.055, 0.0775, 0.1, 0.0975528, 0.0904508, 0.0793893,
                           0.0654508, 0.05, 0.0345492, 0.0206107, 0.00954915],
    "three in a row": [0.01, 0.02, 0.03, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.001, 0.1, 0.1, 0.01],
}
TORCH_MOMENTUM = {
    "one cycle": [0.95, 0.940451, 0.915451, 0.884549, 0.859549, 0.85, 0.851254, 0.854952,
                  0.860908, 0.868826, 0.878306, 0.888874, 0.9],
    "three phases": [0.95, 0.93, 0.91, 0.89, 0.87, 0.85, 0.87, 0.89, 0.91, 0.93, 0.95, 0.95, 0.95],
    "one cycle of the rate": [0.9] * 13,
    "only down": [0.850616, 0.852447, 0.85545, 0.859549, 0.864645, 0.870611, 0.8773, 0.884549,
                  0.892178, 0.9, 0.907822, 0.915451, 0.9227],
}
# fmt: on


def follow(optimizer, schedule, steps):
    """The rates and momenta of so many steps, the first of which is before any ``step()``."""
    rates, momenta = [], []
    for _ in range(steps):
        rates.append(optimizer.lr)
        momenta.append(getattr(optimizer, "momentum", None) or optimizer.betas[0])
        schedule.step()
    return rates, momenta


@pytest.mark.parametrize("make", [sgd, adam])
@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_are_torchs(name, make):
    optimizer = make()
    schedule = SCHEDULES[name](optimizer)
    rates, momenta = follow(optimizer, schedule, 13)
    np.testing.assert_allclose(rates, TORCH[name], rtol=1e-5, atol=1e-16)
    np.testing.assert_allclose(momenta, TORCH_MOMENTUM.get(name, [0.9] * 13), rtol=1e-5)
    assert schedule.last_epoch == 13
    assert rates == [schedule.lr_at(epoch) for epoch in range(13)]


@pytest.mark.parametrize("make", [sgd, adam])
@pytest.mark.parametrize("name", SCHEDULES)
def test_going_on_from_a_state(name, make):
    whole = follow(optimizer := make(), SCHEDULES[name](optimizer), 13)
    for cut in (0, 3, 4, 9):
        first = make()
        schedule = SCHEDULES[name](first)
        follow(first, schedule, cut)
        states = json.loads(json.dumps([first.state_dict(), schedule.state_dict()]))

        second = make()
        schedule = SCHEDULES[name](second)
        second.load_state_dict(states[0])
        schedule.load_state_dict(states[1])
        rates, momenta = follow(second, schedule, 13 - cut)
        assert (rates, momenta) == (whole[0][cut:], whole[1][cut:])


# Each: arguments, measures, and the rates torch had after them.
PLATEAUS = [
    ({"patience": 1}, [3, 2, 2, 2, 2, 1, 1, 1], [0.1, 0.1, 0.1, *[0.01] * 4, 0.001]),
    (
        {"mode": "max", "patience": 0, "cooldown": 2, "factor": 0.5},
        [1, 1, 1, 1, 1, 2, math.nan, 2],
        [0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.025, 0.0125],
    ),
    ({"threshold": 0.1, "patience": 0}, [1, 0.95, 0.89], [0.1, 0.01, 0.01]),
    (
        {"threshold": 0.1, "patience": 0, "threshold_mode": "abs", "min_lr": 0.005},
        [2, 1.95, 1.89, 1.89, 1.89],
        [0.1, 0.01, 0.01, 0.005, 0.005],
    ),
    ({"patience": 0, "eps": 0.095}, [1, 1, 1], [0.1, 0.1, 0.1]),
]


@pytest.mark.parametrize(("arguments", "measures", "expected"), PLATEAUS)
@pytest.mark.parametrize("saved", [False, True])
def test_plateau(arguments, measures, expected, saved):
    optimizer = sgd()
    schedule = optim.ReduceLROnPlateau(optimizer, **arguments)
    rates = []
    for measure in measures:
        schedule.step(measure)
        rates.append(optimizer.lr)
        if saved:
            state = json.loads(json.dumps(schedule.state_dict()))
            schedule = optim.ReduceLROnPlateau(optimizer, **arguments)
            schedule.load_state_dict(state)
    np.testing.assert_allclose(rates, expected)


def test_a_flat_schedule_leaves_the_rate_to_others():
    optimizer = sgd()
    warm_up = optim.LinearLR(optimizer, 0.5, total_iters=2)
    plateau = optim.ReduceLROnPlateau(optimizer, patience=0)
    rates = []
    for loss in (3, 2, 2, 1):
        warm_up.step()
        plateau.step(loss)
        rates.append(optimizer.lr)
    np.testing.assert_allclose(rates, [0.075, 0.1, 0.01, 0.01])


def test_one_cycle_ends():
    optimizer = sgd()
    schedule = optim.OneCycleLR(optimizer, 0.5, 3)
    for _ in range(3):
        schedule.step()
    with pytest.raises(ValueError, match=r"OneCycleLR.step: called 4 times, more than the 3 steps"):
        schedule.step()


@pytest.mark.parametrize("make", [*SCHEDULES.values(), optim.ReduceLROnPlateau])
def test_states_of_another_kind(make):
    schedule = make(sgd())
    before = schedule.state_dict()
    for state in ({}, before | {"more": 1}, None, [1]):
        with pytest.raises(ValueError, match=r"load_state_dict: state must have"):
            schedule.load_state_dict(state)
        assert schedule.state_dict() == before


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda o: optim.StepLR(o, 0), "StepLR: step_size must be at least 1, got 0"),
        (lambda o: optim.StepLR(o, 1, -0.1), "StepLR: gamma must be at least 0 and finite"),
        (lambda o: optim.StepLR(o, 1.5), "StepLR: step_size must be an integer, got 1.5"),
        (lambda o: optim.StepLR(o, 1, "x"), "StepLR: gamma must be a number, got 'x'"),
        (lambda o: optim.StepLR(None, 1), "StepLR: optimizer must be an Optimizer, got None"),
        (lambda o: optim.MultiStepLR(o, [0]), "MultiStepLR: milestones must be at least 1"),
        (lambda o: optim.LinearLR(o, 0), "LinearLR: start_factor must be greater than 0"),
        (lambda o: optim.LinearLR(o, 1.5), "LinearLR: start_factor must be from 0 to 1, got 1.5"),
        (lambda o: optim.CosineAnnealingLR(o, 0), "CosineAnnealingLR: T_max must be at least 1"),
        (lambda o: optim.OneCycleLR(o, 1, epochs=3), "give either total_steps or epochs and steps"),
        (lambda o: optim.OneCycleLR(o, 1, 9, pct_start=3), "pct_start must be from 0 to 1, got 3"),
        (lambda o: optim.OneCycleLR(o, 1, 9, anneal_strategy="x"), '"cos" or "linear", got \'x\''),
        (lambda o: optim.SequentialLR(o, [optim.StepLR(o, 1)], [3]), "one less than the sched"),
        (lambda o: optim.SequentialLR(o, [optim.StepLR(sgd(), 1)], []), "another optimizer"),
        (lambda o: optim.SequentialLR(o, [optim.ReduceLROnPlateau(o)], []), "must be an LRSched"),
        (
            lambda o: optim.SequentialLR(o, [optim.StepLR(o, 1) for _ in "abc"], [3, 3]),
            r"milestones must rise, got \[3, 3\]",
        ),
        (lambda o: optim.ReduceLROnPlateau(o, "least"), "mode must be min or max, got 'least'"),
        (lambda o: optim.ReduceLROnPlateau(o, factor=1), "factor must be less than 1, got 1"),
        (lambda o: optim.ReduceLROnPlateau(o, patience=-1), "patience must be at least 0, got -1"),
    ],
)
def test_bad_arguments(make, words):
    with pytest.raises((TypeError, ValueError), match=words):
        make(sgd())


def test_momentum_needs_an_optimizer_that_has_it():
    class Plain(optim.Optimizer):
        pass

    with pytest.raises(ValueError, match="cycle_momentum needs an optimizer with momentum"):
        optim.OneCycleLR(Plain([Parameter(np.zeros(1))], 0.1), 0.5, 10)
