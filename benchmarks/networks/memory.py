"""The peak memory of a training step: of a whole process that takes two and does nothing else."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from benchmarks.networks.competitors import LEARNERS
from benchmarks.networks.table import Network, networks

GROUP = "peak memory"
# The second step finds what the optimizer remembers of the first.
STEPS = 2


def measure(
    table: Sequence[Network], names: Sequence[str], threads: int
) -> dict[str, dict[str, int]]:
    """Bytes by network and competitor.

    Raises
    ------
    RuntimeError
        If a process fails; what it said is on standard error.
    """
    return {
        network.name: {name: _in_process(network.name, name, threads) for name in names}
        for network in tqdm(table, unit="network", leave=False)
    }


def _in_process(network: str, name: str, threads: int) -> int:
    command = [sys.executable, "-m", "benchmarks.networks.memory", network, name, str(threads)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise RuntimeError(f"{network} on {name} ended with status {done.returncode}")
    return int(done.stdout)


def peak() -> int:
    """The most bytes that this process has had in memory.

    From /proc where there is one: getrusage's figure may be that of the process that started it.
    """
    status = Path("/proc/self/status")
    if found := status.exists() and re.search(r"VmHWM:\s*(\d+) kB", status.read_text()):
        return int(found[1]) * 1024
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Take the steps, with the library's own random weights, and print the peak."""
    network_name, name, threads = sys.argv[1:]
    (network,) = [network for network in networks() if network.name == network_name]
    (kind,) = [kind for kind in LEARNERS if kind.name == name]
    images, labels = network.images(network.batch), network.labels()
    learner = kind(int(threads)).learner(network, None, images, labels)
    for _ in range(STEPS):
        learner.step()
    print(peak())


if __name__ == "__main__":
    main()
