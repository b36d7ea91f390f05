"""A report with all that there can be in one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnnfast import data, models
from cnnfast.training.report import write_report

HOSTILE = '"><script>alert(1)</script><img src=x onerror="alert(2)">&amp;'
HISTORY = {"train_loss": [2.0, 1.0], "validation_loss": [2.0, 1.5], "train_accuracy": [0.2, 0.6]}
CONFIGURATION = {
    "model": f"lenet5 {HOSTILE}",
    HOSTILE: HOSTILE,
    "optimizer": {"name": "SGD", "lr": 0.05, "schedule": {"gamma": 0.1}},
    "augmentation": None,
}


@pytest.fixture(scope="package")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    model = models.lenet5(rng=np.random.default_rng(0))
    digits = data.digits()
    loader = data.DataLoader(digits.test_images[:200], digits.test_labels[:200], batch_size=64)
    names = [f"{HOSTILE} {number}" if number == 3 else f"${number}" for number in range(10)]
    write_report(path, model, HISTORY, loader, CONFIGURATION, names)
    return path
