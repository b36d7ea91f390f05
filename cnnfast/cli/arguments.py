"""What the subcommands take."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from cnnfast._version import version


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="cnnfast", description="Convolutional networks on plain NumPy arrays, on a CPU, fast."
    )
    top.add_argument("--version", action="version", version=f"cnnfast {version}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    convert = _add(commands, "convert", "write the weights of a file to one of another kind")
    convert.add_argument(
        "source", type=Path, metavar="SOURCE", help="a .pth, .pt, .safetensors, .npz or .onnx file"
    )
    convert.add_argument(
        "target", type=Path, metavar="TARGET", help="a .safetensors or .npz file to write"
    )

    demo = _add(commands, "demo", "train on the bundled digits, race the kernels, draw pictures")
    _add_seed(demo)
    _add_out(demo, "pictures", Path("cnnfast-demo"))

    train = _add(commands, "train", "train a network on MNIST, or on another set in such files")
    train.add_argument(
        "--model",
        default="lenet5",
        metavar="NAME",
        help="a network of cnnfast.models; all but LeNet-5 see images of 28x28 in a frame that "
        "makes them 32x32 (default: %(default)s)",
    )
    train.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder with the four IDX files, gzip'd or not",
    )
    train.add_argument(
        "--epochs",
        type=_integer(1),
        default=10,
        metavar="N",
        help="passes over the training images (default: %(default)s)",
    )
    train.add_argument(
        "--batch-size",
        type=_integer(1),
        default=64,
        metavar="N",
        help="images in a step (default: %(default)s)",
    )
    train.add_argument(
        "--lr",
        type=_positive,
        default=0.05,
        metavar="RATE",
        help="learning rate of the first epoch, from which it falls to 0 (default: %(default)s)",
    )
    _add_seed(train)
    train.add_argument(
        "--threads",
        type=_integer(1, 1024),
        metavar="N",
        help="for the compiled kernels (default: the processors this process may use)",
    )
    _add_out(train, "weights", Path("cnnfast-train"))

    summary = _add(commands, "summary", "list what a network's layers cost: memory, multiply-adds")
    summary.add_argument("model", metavar="MODEL", help="a network's name, or an ONNX file")
    summary.add_argument(
        "--input",
        type=_shape,
        required=True,
        metavar="C,H,W",
        help="shape of an image, such as 3,224,224",
    )
    summary.add_argument(
        "--advise",
        action="store_true",
        help="say what breaks the course notes' rules, and what batches fit in memory",
    )
    summary.add_argument("--json", action="store_true", help="print JSON")

    _add_predict(commands)
    _add(commands, "info", "print version, instruction sets, threads, compiler and NumPy")
    return top


def _add_predict(commands: argparse._SubParsersAction) -> None:
    predict = _add(commands, "predict", "tell what a trained network takes images for")
    predict.add_argument(
        "model", metavar="MODEL", help="a network of cnnfast.models, or a file that ends in .onnx"
    )
    predict.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="an image file")
    predict.add_argument(
        "--weights", type=Path, metavar="FILE", help="what the network of cnnfast.models learned"
    )
    predict.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="names of the classes: one a line, or JSON (default: their numbers)",
    )
    predict.add_argument(
        "--top",
        type=_integer(1),
        default=5,
        metavar="N",
        help="how many classes to show (default: %(default)s)",
    )
    predict.add_argument(
        "--size",
        type=_integer(1, 65536),
        metavar="N",
        help="side of the square from the middle of the image (default: what the network is for)",
    )


def _add(commands: argparse._SubParsersAction, name: str, summary: str) -> argparse.ArgumentParser:
    description = f"{summary[0].upper()}{summary[1:]}."
    return commands.add_parser(name, help=summary, description=description)


def _add_out(command: argparse.ArgumentParser, what: str, default: Path) -> None:
    command.add_argument(
        "--out",
        type=Path,
        default=default,
        metavar="DIR",
        help=f"folder for the {what} (default: %(default)s)",
    )


def _add_seed(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--seed",
        type=_integer(0),
        default=0,
        metavar="N",
        help="where the first weights and the order of the images come from (default: %(default)s)",
    )


def _integer(least: int, most: float = math.inf) -> Callable[[str], int]:
    def integer(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            bound = f"at least {least}" if most == math.inf else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"must be {bound}, got {text}")
        return value

    return integer


def _shape(text: str) -> tuple[int, ...]:
    try:
        return tuple(map(_integer(1), text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be like 3,224,224, got {text}") from None


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be greater than 0 and finite, got {text}")
    return value
