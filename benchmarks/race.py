"""A race: starts the processes of one shape together and waits for all of them; then the next shape takes its turn.

Shapes take turns so that a slow moment of the machine hits all of them. Read the ratios, not the figures.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Collection

from benchmarks import database

Rates = dict[str, list[float]]


def options(doc: str | None, children: Collection[str]) -> argparse.Namespace:
    """Parse the command line and set up Django; `child` is set only in a child process."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--child", choices=list(children), help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    database.set_up_django()
    return parsed


def run_child(drain: Callable[[], object]) -> None:
    """In a child process: print "ready", wait for "go", drain, print "done"."""
    print("ready", flush=True)
    sys.stdin.readline()
    drain()
    print("done", flush=True)


def seconds_of(module: str, shape: str, url: str, processes: int) -> float:
    """How many seconds `processes` runs of `python -m module --child shape` take together, without their start-up."""
    children = [
        subprocess.Popen(
            [sys.executable, "-m", module, "--child", shape],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=database.environment(url),
        )
        for _ in range(processes)
    ]
    for child in children:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
    began = time.perf_counter()
    for child in children:
        assert child.stdin
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        assert child.stdout
        assert child.stdout.readline() == "done\n"
    took_s = time.perf_counter() - began
    for child in children:
        child.communicate()
    return took_s


def take_turns(shapes: dict[str, int], rounds: int, measure: Callable[[str, int], float]) -> Rates:
    """The rates of each shape, in jobs a second, as `measure(shape, messages)` returns them; shapes take turns."""
    rates: Rates = {shape: [] for shape in shapes}
    for number in range(rounds):
        for shape, messages in shapes.items():
            rates[shape].append(measure(shape, messages))
            database.progress(f"  round {number + 1}, {shape}: {rates[shape][-1]:,.0f} jobs/s")
    return rates


def print_table(processes: int, rates: Rates, *bases: str) -> None:
    """Print medians, and the medians of the ratios to each of `bases` within a round."""
    width = max(map(len, rates)) + 2
    rounds = len(next(iter(rates.values())))
    print(f"\n{processes} process{'es' if processes > 1 else ''}, median of {rounds}")
    titles = "".join(f"{'x ' + base:>{len(base) + 4}}" for base in bases)
    print(f"{'shape':<{width}}{'jobs/s':>9}{'lowest':>9}{'highest':>9}{titles}")
    for shape, own in rates.items():
        figures = f"{statistics.median(own):>9,.0f}{min(own):>9,.0f}{max(own):>9,.0f}"
        ratios = (statistics.median(a / b for a, b in zip(own, rates[base], strict=True)) for base in bases)
        told = "".join(f"{ratio:>{len(base) + 4}.2f}" for base, ratio in zip(bases, ratios, strict=True))
        print(f"{shape:<{width}}{figures}{told}")
