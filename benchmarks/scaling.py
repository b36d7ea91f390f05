"""Training on a cluster, on paper: from message sizes and published link speeds.

`INTRODUCTION` says what is assumed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from cnnfast import models
from cnnfast.analysis import summary
from cnnfast.distributed.parallel import BUCKET_BYTES

NETWORKS = {"alexnet": "AlexNet", "vgg16": "VGG-16", "resnet50": "ResNet-50"}
SIZE = 224
MACHINES = (8, 64, 512)
# How many times as fast as the one measured, and how the tables call it.
MACHINES_ARE = {1: "as measured", 16: "16 times as fast"}
WEAK, STRONG = 32, 1024  # images a machine; images in all


class Link(NamedTuple):
    """A network between machines: seconds, and bytes a second each way."""

    name: str
    latency: float
    bandwidth: float


LINKS = (
    Link("10 Gb/s Ethernet, TCP", 20e-6, 10e9 / 8),
    Link("100 Gb/s Ethernet, RDMA", 0.8e-6, 100e9 / 8),
    Link("200 Gb/s InfiniBand HDR", 0.6e-6, 200e9 / 8),
)
INTRODUCTION = (
    "What part of a step is arithmetic, that is, what part of the speed of so many machines "
    "remains. One rank a machine. A layer's share of the time is its share of the network's "
    "multiply-adds, and the way back takes twice as long as the way forward. Gradients fill "
    f"buckets of {BUCKET_BYTES >> 20} MiB in the order in which they come; a bucket leaves when it "
    "is full and the one before it has arrived, and on p machines takes",
    "",
    "    2 log2(p) latency + 2 (p - 1) / p bytes / bandwidth",
    "",
    "(Rabenseifner's algorithm). Not counted: copies and additions in memory, ranks that wait for "
    "a slower one, and links that others use. The time of an image is "
    "the processor time it takes one thread here, over the processors of this machine; small "
    "batches are taken to be as fast, an image each, as large ones.",
)
SOURCES = (
    "Bit rates: IEEE 802.3ae (10 Gb/s), 802.3bj (100 Gb/s); InfiniBand HDR, 4 lanes.",
    '20 us through TCP: J. Hurwitz, W. Feng, "Initial end-to-end performance evaluation of '
    '10-Gigabit Ethernet", 2003, <http://www.hoti.org/archive/Hoti11_program/abstracts/24.html>.',
    '0.8 us: Mellanox, "ConnectX-6 EN card", product brief.',
    '0.6 us: NVIDIA, "ConnectX-6 user manual", '
    "<https://docs.nvidia.com/networking/display/ConnectX6EN/Introduction>.",
    'The algorithm: R. Thakur, R. Rabenseifner, W. Gropp, "Optimization of collective '
    'communication operations in MPICH", 2005.',
)


class Layer(NamedTuple):
    """What a layer has part in: of the work, and of the bytes to be sent."""

    work: float
    bytes: int


def layers(network: str) -> list[Layer]:
    """Read a network's layers from its ledger."""
    rows = summary(getattr(models, network)(), (3, SIZE, SIZE)).rows
    total = sum(row.multiply_adds for row in rows)
    return [Layer(row.multiply_adds / total, 4 * row.parameters) for row in rows]


def step_time(network: list[Layer], compute: float, link: Link, machines: int) -> float:
    """Give the seconds of a step of which the arithmetic takes `compute`."""
    now = compute / 3  # forward
    link_free, bucket = 0.0, 0
    for position, layer in enumerate(reversed(network)):
        now += layer.work * compute * 2 / 3
        bucket += layer.bytes
        last = position == len(network) - 1
        if bucket and (bucket >= BUCKET_BYTES or last):
            link_free = max(now, link_free) + sum_time(bucket, link, machines)
            bucket = 0
    return max(now, link_free)


def sum_time(size: int, link: Link, machines: int) -> float:
    """Give the seconds that it takes to sum so many bytes over the machines."""
    if machines == 1:
        return 0.0
    latency = 2 * math.ceil(math.log2(machines)) * link.latency
    return latency + 2 * (machines - 1) / machines * size / link.bandwidth


def efficiency(network: list[Layer], compute: float, link: Link, machines: int) -> float:
    """Give the part of a step that is arithmetic: of `machines` times the speed of one."""
    return compute / step_time(network, compute, link, machines)


def lines(seconds: dict[str, float]) -> list[str]:
    """Write the tables, in Markdown.

    Parameters
    ----------
    seconds : dict of str to float
        What one image of a training step takes on the machine measured, by network.
    """
    written = []
    for name, title in NETWORKS.items():
        network = layers(name)
        message = sum(layer.bytes for layer in network)
        written += [
            f"### {title}",
            "",
            f"{message / 1e6:.0f} MB of gradients; {seconds[name] * 1e3:.0f} ms an image.",
            "",
            "| machines | link | "
            + " | ".join(f"{WEAK} each, {MACHINES_ARE[f]}" for f in MACHINES_ARE)
            + " | "
            + " | ".join(f"{STRONG} in all, {MACHINES_ARE[f]}" for f in MACHINES_ARE)
            + " |",
            "|---|---|" + "---|" * 2 * len(MACHINES_ARE),
        ]
        for machines in MACHINES:
            for link in LINKS:
                shares = [
                    efficiency(network, images * seconds[name] / factor, link, machines)
                    for images in (WEAK, STRONG / machines)
                    for factor in MACHINES_ARE
                ]
                cells = " | ".join(f"{share:.0%}" for share in shares)
                written.append(f"| {machines} | {link.name} | {cells} |")
        written += ["", *_ends(network, seconds[name]), ""]
    return written


def _ends(network: list[Layer], image: float) -> list[str]:
    """Say where it ends for a batch of `STRONG` images."""
    return [
        f"A batch of {STRONG} keeps half of the speed of "
        + ", ".join(f"{end(network, image / factor, link)} ({link.name})" for link in LINKS)
        + f" machines that are {MACHINES_ARE[factor]}."
        for factor in MACHINES_ARE
    ]


def end(network: list[Layer], image: float, link: Link) -> int:
    """Give the most machines, a power of 2, that train a batch of `STRONG` at half efficiency."""
    fits = [
        machines
        for machines in (2**i for i in range(int(math.log2(STRONG)) + 1))
        if efficiency(network, image * STRONG / machines, link, machines) >= 0.5
    ]
    return max(fits)
