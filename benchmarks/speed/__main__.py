"""Run one of the speed benchmarks: ``python -m benchmarks.speed PART [options]``.

``python -m benchmarks.speed`` lists the parts, ``... PART --help`` the options of one. All parts
take ``--threads`` and ``--output``; those that repeat what they time take ``--rounds``.
"""

import sys
from importlib import import_module

PARTS = {
    "searches": "whole searches of seven cases beside grids and LogisticRegressionCV",
    "specialists": "eight kinds of problems beside grids and specialised solvers",
    "profile": "where the time goes in the cases of specialists",
    "growth": "how time grows with rows, folds and starts; one iteration beside its products",
    "gpu": "large searches on a GPU beside the grid on the machine's cores",
    "launches": "operations that an iteration starts on a GPU, counted without one",
    "kernel_ridge": "alpha and gamma of KernelRidge beside a 10 x 10 grid",
    "lasso_path": "one L1 penalty beside LassoCV and celer's path",
    "memory": "peak memory beyond X (Linux)",
    "text_memory": "the same of wide sparse texts (Linux)",
    "import_time": "import skbamm beside the imports of its parts",
    "iteration": "one iteration of minimize beside two gradients",
}


def main(arguments: list[str]) -> int:
    """Run the named part with the rest of the arguments; return its exit status."""
    part, *rest = arguments or ["--help"]
    if part not in PARTS:
        print((__doc__ or "").strip(), "", *(f"  {n:14}{t}" for n, t in PARTS.items()), sep="\n")
        return 0 if part in ("-h", "--help") else 2
    sys.argv = [f"python -m benchmarks.speed {part}", *rest]
    return import_module(f"benchmarks.speed.{part}").main()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
