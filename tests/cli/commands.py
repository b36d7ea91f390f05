"""Running commands, and what they print."""

import re
import signal
import subprocess
import sys

from cnnfast.cli import main
from cnnfast.training import Callback

LAST_LINE = re.compile(r"test accuracy \d{1,3}\.\d\d %")
EPOCH = re.compile(
    r"epoch +\d+/\d+   loss \d+\.\d{4}   accuracy \d+\.\d\d %   "
    r"test \d+\.\d\d %   [\d,]+ images/s   [\d:]+ left"
)


def train(*arguments):
    return main(["train", *map(str, arguments)])


def evaluate(*arguments):
    return main(["evaluate", *map(str, arguments)])


def python(*arguments, **options):
    """Run a fresh interpreter with the checkout's cnnfast."""
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def error_line(capsys):
    """Give what went to stderr, which must be one line."""
    captured = capsys.readouterr().err
    assert captured.startswith("cnnfast: ")
    assert captured.endswith("\n")
    assert captured.count("\n") == 1
    return captured


def accuracy(model, images, labels):
    """Give the last line that such a network makes."""
    return f"test accuracy {100 * (model(images).argmax(axis=1) == labels).mean():.2f} %"


class PressesCtrlC(Callback):
    """Presses ctrl-C in a step."""

    def __init__(self, step):
        self.when = step

    def on_step_end(self, trainer):
        if trainer.step == self.when:
            signal.raise_signal(signal.SIGINT)
