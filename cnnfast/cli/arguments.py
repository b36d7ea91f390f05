"""What the subcommands take."""

from __future__ import annotations

import argparse
from pathlib import Path

from cnnfast._version import version
from cnnfast.cli.settings import add_train
from cnnfast.cli.values import integer, number, shape


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="cnnfast",
        description="Convolutional networks on plain NumPy arrays, on a CPU, fast.",
        epilog="Exit codes: 0 all went well, 1 not as good as asked for (evaluate --at-least), "
        "2 bad input or a full disk, 3 training diverged, 130 ctrl-C.",
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

    evaluate = _add(commands, "evaluate", "tell how well a network that was trained does")
    evaluate.add_argument("run", type=Path, metavar="RUN", help="the folder that train wrote")
    evaluate.add_argument(
        "--data", metavar="DIR", help="test images of another set (default: of the run's)"
    )
    evaluate.add_argument(
        "--best", action="store_true", help="take the best checkpoint, not the last epoch"
    )
    evaluate.add_argument(
        "--at-least",
        type=number(0),
        metavar="PERCENT",
        help="end with exit code 1 if the accuracy is less",
    )
    evaluate.add_argument("--json", action="store_true", help="print JSON")

    add_train(_add(commands, "train", "train a network on images of one's own, or a known set"))

    summary = _add(commands, "summary", "list what a network's layers cost: memory, multiply-adds")
    summary.add_argument(
        "model", metavar="MODEL", help="a network's name, a layer pattern, or an ONNX file"
    )
    summary.add_argument(
        "--input",
        type=shape,
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
        type=integer(1),
        default=5,
        metavar="N",
        help="how many classes to show (default: %(default)s)",
    )
    predict.add_argument(
        "--size",
        type=integer(1, 65536),
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
        type=integer(0),
        default=0,
        metavar="N",
        help="where the first weights and the order of the images come from (default: %(default)s)",
    )
