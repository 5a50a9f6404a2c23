"""
How long a fresh clone takes to its first answer, step by step, and what it puts on the disk.

    python benchmarks/first_answer.py [--no-cache] [--ui]

Clones this repository as it is committed, makes a virtual environment, installs the default
install (with --ui, what `make demo` installs), fills the sample shop and asks it, then asks once
more in a new process. Seconds are by the clock and of CPU, of all processes of a step. pip keeps
packages in its cache between runs; --no-cache fetches every one anew. Sizes are of the files in
site-packages, pip and setuptools left out.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter

REPOSITORY = Path(__file__).resolve().parent.parent
QUESTION = ("search", "红色格子双肩包", "--kind", "text2image", "--limit", "1")
LEFT_OUT = ("pip", "setuptools", "__pycache__")
LARGEST = 8
MB = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-cache", action="store_true", help="let pip fetch everything anew")
    parser.add_argument("--ui", action="store_true", help="install the page too")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        walk(Path(scratch), no_cache=asked.no_cache, ui=asked.ui)


def walk(folder: Path, *, no_cache: bool, ui: bool) -> None:
    clone, home, tools = folder / "crosslens", folder / "home", folder / "venv" / "bin"
    own = {**os.environ, "CROSSLENS_HOME": str(home)}
    what = f"{clone}[ui]" if ui else str(clone)
    cache = ["--no-cache-dir"] if no_cache else []
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; "
          f"pip {'without' if no_cache else 'with'} its cache\n")  # fmt: skip
    print("| step | seconds | CPU seconds |\n|---|--:|--:|")
    step("clone", ["git", "clone", "--quiet", f"file://{REPOSITORY}", str(clone)], own)
    step("virtual environment", [sys.executable, "-m", "venv", str(folder / "venv")], own)
    step("install", [str(tools / "pip"), "install", "--quiet", *cache, what], own)
    step("first answers, the shop filled before",
         [str(tools / "crosslens"), "demo", "--no-serve"], own)  # fmt: skip
    step("one more answer", [str(tools / "crosslens"), *QUESTION], own)
    print(f"\nload after: {os.getloadavg()[0]:.1f}\n")
    tell_sizes(next((folder / "venv" / "lib").glob("python*/site-packages")), home)


def step(name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run a command to its end and print what it took."""
    before, started = cpu(), perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    print(f"| {name} | {perf_counter() - started:.1f} | {cpu() - before:.1f} |", flush=True)


def cpu() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def tell_sizes(packages: Path, home: Path) -> None:
    sizes: Counter[str] = Counter()
    for path in packages.rglob("*"):
        owner = path.relative_to(packages).parts[0].removesuffix(".libs")
        if path.is_file() and not owner.startswith(LEFT_OUT):
            sizes[owner] += path.stat().st_size
    total = sum(sizes.values())
    shown = ", ".join(f"{name} {size / MB:.0f}" for name, size in sizes.most_common(LARGEST))
    print(f"installed: {total / MB:.0f} MB ({shown}, the rest "
          f"{(total - sum(size for _, size in sizes.most_common(LARGEST))) / MB:.0f})")  # fmt: skip
    print(f"the sample shop's home: {measure(home) / MB:.0f} MB")


def measure(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
