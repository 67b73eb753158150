"""What ``import skbamm`` costs beside importing torch and sklearn.linear_model.

Each import runs in a fresh interpreter, in turns, after one untimed turn that brings the files
into memory.
"""

import subprocess
import sys
from statistics import median

from benchmarks.lib.harness import parser, ratio, verdict, write

IMPORTS = {
    "torch and sklearn.linear_model": "import torch, sklearn.linear_model",
    "skbamm": "import skbamm",
}
AT_MOST = 1.10
TIMER = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"


def seconds(statement: str) -> float:
    """Time a statement in a fresh interpreter, whose own start does not count."""
    command = [sys.executable, "-c", TIMER.format(statement)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> int:
    options = parser(__doc__).parse_args()
    times: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for turn in range(options.rounds + 1):
        for name, statement in IMPORTS.items():
            spent = seconds(statement)
            if turn:
                times[name].append(spent)
    parts, ours = times.values()
    speed = ratio(parts, ours, 1 / AT_MOST)
    costs = 1 / speed["median"]
    body = {
        "seconds": times,
        "median_seconds": {name: median(found) for name, found in times.items()},
        "costs": costs,
        "at_most": AT_MOST,
        "passes": speed["passes"],
    }
    print(
        f"import skbamm: {median(ours):.2f} s, its parts {median(parts):.2f} s: "
        f"{costs:.3f} times, {verdict(body['passes'], AT_MOST)}"
    )
    write("import_time", body, threads=options.threads, output=options.output)
    return 0 if body["passes"] else 1
