"""Time rivals fairly: in turns, warm, on equal threads; and say on what they were timed."""

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import sklearn.linear_model
import sklearn.model_selection  # noqa: F401  (workers that unpickle _wake load it with this module)
import torch
from joblib import Parallel, delayed, parallel_config
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).parents[1]  # the folder of the benchmarks
RESULTS = ROOT / "results"
KEEP_WITHIN = 1.25  # a slower n_jobs is dropped after the calibration unless this close
WORST_ROUND = 0.8  # what the worst round must reach of a ratio's bar


def cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parser(description: str | None, rounds: int | None = 7) -> argparse.ArgumentParser:
    """The options all benchmarks share; `rounds` None where there are no turns to take."""
    options = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    if rounds is not None:
        options.add_argument("--rounds", type=int, default=rounds, help="turns for each rival")
    options.add_argument("--threads", type=int, default=cores(), help="threads for each rival")
    options.add_argument(
        "--output", type=Path, help="where the JSON goes (default: benchmarks/results)"
    )
    return options


@dataclass(frozen=True)
class Rival:
    """A search to time.

    Attributes
    ----------
    name : str
        How the tables call it.
    build : callable
        ``build(n_jobs)`` gives the unfitted search.
    read : callable
        ``read(fitted)`` gives what to record of it, a dict that JSON can hold.
    parallel : bool
        Whether one process and a process a thread are both tried, and the faster one counts.
    """

    name: str
    build: Callable[[int | None], Any]
    read: Callable[[Any], dict[str, Any]]
    parallel: bool = False

    def n_jobs(self, threads: int) -> tuple[int | None, ...]:
        return (None, threads) if self.parallel and threads > 1 else (None,)


def _wake() -> int:
    """Run in a worker: having been unpickled, this module and scikit-learn are loaded there."""
    time.sleep(0.05)
    return os.getpid()


@contextmanager
def equal_threads(threads: int, n_jobs: int | None) -> Iterator[None]:
    """Give the block `threads` threads: all in this process, or shared out over warm workers."""
    torch.set_num_threads(threads)
    with threadpool_limits(threads):
        if n_jobs is None:
            yield
            return
        each = max(1, threads // n_jobs)
        with parallel_config(backend="loky", inner_max_num_threads=each):
            # Sleeping tasks, more than there are workers: every worker gets one and is awake.
            Parallel(n_jobs=n_jobs)(delayed(_wake)() for _ in range(3 * n_jobs))
            yield


def timed_fit(rival: Rival, n_jobs: int | None, threads: int, X: Any, y: Any) -> tuple[float, dict]:
    """Seconds of one fit, refit included, and what `rival.read` says of it."""
    search = rival.build(n_jobs)
    with equal_threads(threads, n_jobs):
        gc.collect()
        start = time.perf_counter()
        search.fit(X, y)
        seconds = time.perf_counter() - start
    return seconds, rival.read(search)


def in_turns(
    rivals: Sequence[Rival],
    X: Any,
    y: Any,
    *,
    rounds: int,
    threads: int,
    warm_rows: int = 300,
    patience: float = np.inf,
) -> dict[str, dict[str, Any]]:
    """Time the rivals A B C, A B C, ... and give each one's seconds a round.

    Before the rounds every rival fits a few rows (libraries, thread pools) and then everything
    once (the calibration). Where a rival has two ways to run, the slower is dropped there, unless
    it is close: then both run in every round and the faster counts. A rival whose calibration
    takes longer than ``patience`` seconds has that for its only round.
    """
    rows = np.random.default_rng(0).permutation(len(y))[:warm_rows]
    record: dict[str, dict[str, Any]] = {}
    keep: dict[str, list[int | None]] = {}
    for rival in rivals:
        calibration, outcomes = {}, {}
        for n_jobs in rival.n_jobs(threads):
            timed_fit(rival, n_jobs, threads, X[rows], y[rows])
            calibration[n_jobs], outcomes[n_jobs] = timed_fit(rival, n_jobs, threads, X, y)
        best = min(calibration, key=lambda n: calibration[n])
        fastest = calibration[best]
        keep[rival.name] = [n for n, s in calibration.items() if s <= KEEP_WITHIN * fastest]
        record[rival.name] = {
            "calibration": {f"n_jobs={n}": seconds for n, seconds in calibration.items()},
            "seconds": [],
            "n_jobs": [],
        }
        if fastest > patience:
            print(f"  {rival.name} takes {fastest:.3g} s: that is its only round", flush=True)
            record[rival.name] |= {
                "seconds": [fastest],
                "n_jobs": [best],
                "outcome": outcomes[best],
            }

    in_all = [rival for rival in rivals if not record[rival.name]["seconds"]]
    for turn in range(rounds):
        for rival in in_all:
            fits = {n: timed_fit(rival, n, threads, X, y) for n in keep[rival.name]}
            best = min(fits, key=lambda n: fits[n][0])
            entry = record[rival.name]
            entry["seconds"].append(fits[best][0])
            entry["n_jobs"].append(best)
            entry["outcome"] = fits[best][1]
        said = ", ".join(f"{name} {entry['seconds'][-1]:.3g} s" for name, entry in record.items())
        print(f"  round {turn + 1} of {rounds}: {said}", flush=True)

    for entry in record.values():
        entry["median_seconds"] = median(entry["seconds"])
    return record


def ratio(baseline: Sequence[float], ours: Sequence[float], bar: float | None = None) -> dict:
    """How many times sooner we are, round by round, and whether that meets the bar.

    What had one round only is set against each of the other's.
    """
    longest = max(len(baseline), len(ours))
    baseline, ours = (s if len(s) > 1 else [*s] * longest for s in (baseline, ours))
    rounds = [b / o for b, o in zip(baseline, ours, strict=True)]
    result: dict[str, Any] = {"rounds": rounds, "median": median(rounds), "worst": min(rounds)}
    if bar is not None:
        passed = result["median"] >= bar and result["worst"] >= WORST_ROUND * bar
        result |= {"bar": bar, "passes": passed}
    return result


def verdict(passes: bool, bar: float) -> str:
    """Words for the terminal."""
    return f"{'meets' if passes else 'MISSES'} the bar of {bar:g}"


def commit(package: Path) -> str | None:
    """The commit that a package is of, marked where files differ; None outside a repository."""
    try:
        git = ["git", "-C", str(package)]
        head = subprocess.run(
            [*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changes = subprocess.run(
            [*git, "status", "--porcelain", "--", "."],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{head}+changes" if changes else head


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # one that runs from its folder knows itself
        return getattr(sys.modules.get(package), "__version__", None)


def provenance(threads: int, packages: Sequence[str] = ()) -> dict[str, Any]:
    """When, on what and with what something was measured; ``packages`` are named besides ours."""
    packages = ["skbamm", "scikit-learn", "torch", "numpy", "scipy", "joblib", *packages]
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(ROOT.parent / "skbamm"),
        "cpu": _cpu(),
        "cores": cores(),
        "threads": threads,
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {package: _version(package) for package in packages},
    }


def parts(name: str) -> dict[str, Any]:
    """The parts of ``NAME.json`` that have been measured."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text())["parts"] if path.exists() else {}


def write_part(
    name: str,
    part: str,
    body: dict[str, Any],
    *,
    threads: int,
    output: Path | None = None,
    packages: Sequence[str] = (),
) -> None:
    """Write one part of ``NAME.json`` and leave the others, each with its own provenance."""
    path = (output or RESULTS) / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = json.loads(path.read_text()) if path.exists() else {"name": name, "parts": {}}
    content["parts"][part] = {"provenance": provenance(threads, packages), **body}
    # An interrupted run leaves the file as it was.
    new = path.with_suffix(".new")
    new.write_text(json.dumps(content, indent=1, default=_plain) + "\n")
    new.replace(path)
    print(f"  wrote {part} to {path.name}", flush=True)


def write(name: str, body: dict[str, Any], *, threads: int, output: Path | None = None) -> None:
    """Write ``NAME.json`` with the provenance on top."""
    folder = output or RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    content = {"name": name, "provenance": provenance(threads), **body}
    path.write_text(json.dumps(content, indent=1, default=_plain) + "\n")
    print(f"  wrote {path.name}")


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays as Python's."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
