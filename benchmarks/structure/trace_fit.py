"""How many files of the package one fit enters, and how often the file changes between calls.

A reader who follows a fit has to open these files and to jump as often. The counts depend on the
code alone, not on the machine. ``--checkout PATH`` traces the package of another checkout, whose
counts then stand beside those of this one in ``trace_fit.json``::

    python -m benchmarks.structure.trace_fit
    python -m benchmarks.structure.trace_fit --checkout ../before --label before
    python -m benchmarks.structure.trace_fit groups --pairs 20
"""

import argparse
import json
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.lib.harness import RESULTS, ROOT, commit, write_part


def trace(fit: Callable[[], Any], package: Path) -> dict[str, Any]:
    """Count files entered, changes of file, and the pairs of files between which they happen."""
    inside, files, pairs = f"{package}/", set(), Counter()
    current = None

    def hook(frame: Any, event: str, argument: Any) -> None:
        nonlocal current
        if event != "call" or not frame.f_code.co_filename.startswith(inside):
            return
        name = frame.f_code.co_filename[len(inside) :]
        if name != current:
            pairs[current or "", name] += 1
            current = name
            files.add(name)

    sys.setprofile(hook)
    try:
        fit()
    finally:
        sys.setprofile(None)
    return {"files": len(files), "changes": pairs.total(), "pairs": pairs}


def fits() -> dict[str, Callable[[], Any]]:
    """Return six fits by name, each of a search that is made anew."""
    import numpy as np
    from sklearn.datasets import load_breast_cancer, load_diabetes
    from sklearn.linear_model import Lasso, LogisticRegression, Ridge
    from sklearn.preprocessing import scale

    from skbamm import BAMMSearchCV, PerGroup, SampleWeights

    X, label = load_breast_cancer(return_X_y=True)
    X = scale(X)
    diabetes, number = load_diabetes(return_X_y=True)
    low, high = 1e-4, 1e4
    groups = np.arange(X.shape[1]) // 3

    def logistic(values: Any, **settings: Any) -> Callable[[], Any]:
        settings = {"scoring": "neg_log_loss", "random_state": 0, **settings}
        return lambda: BAMMSearchCV(LogisticRegression(), {"C": values}, **settings).fit(X, label)

    def regression(model: Any, values: Any) -> Callable[[], Any]:
        search = BAMMSearchCV(model, {"alpha": values}, random_state=0)
        return lambda: search.fit(diabetes, number)

    return {
        "logistic": logistic((low, high)),
        "list": logistic(np.logspace(-3, 3, 10).tolist()),
        "ridge": regression(Ridge(), (low, high)),
        "lasso": regression(Lasso(), (low, 10.0)),
        "groups": logistic(PerGroup(low, high, groups=groups)),
        "weights": logistic((low, high), sample_weights=SampleWeights(), scoring=None),
    }


def main() -> None:
    """Trace the named fits, print and write what they enter."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("fits", nargs="*", metavar="fit", help="names (default: all)")
    parser.add_argument("--checkout", type=Path, help="trace the package in this folder")
    parser.add_argument("--label", default="here", help="its name in the results")
    parser.add_argument("--pairs", type=int, default=0, help="print the commonest changes of file")
    parser.add_argument("--output", type=Path, help="where the JSON goes")
    options = parser.parse_args()
    checkout = (options.checkout or ROOT.parent).resolve()
    sys.path.insert(0, str(checkout))
    known, found = fits(), {}
    package = Path(sys.modules["skbamm"].__file__ or "").parent
    if package.parent != checkout:
        parser.error(f"skbamm was imported from {package.parent}, not from {checkout}")
    if unknown := set(options.fits) - set(known):
        parser.error(f"no such fit: {', '.join(sorted(unknown))}")
    warnings.simplefilter("ignore")
    for name in options.fits or known:
        known[name]()  # imports, and caches that a process fills once
        counts = trace(known[name], package)
        pairs = counts.pop("pairs")
        found[name] = counts
        print(f"{name:10} {counts['files']:3} files, {counts['changes']:7,} changes", flush=True)
        for (before, after), count in pairs.most_common(options.pairs):
            print(f"    {count:7,} {before} -> {after}")
    if not options.fits or options.output:
        body = {"traced": commit(checkout / "skbamm"), "fits": found}
        write_part("trace_fit", options.label, body, threads=1, output=options.output)
        beside(json.loads(((options.output or RESULTS) / "trace_fit.json").read_text()))


def beside(results: dict[str, Any]) -> None:
    """Print the changes of this checkout beside those of the others."""
    parts = {label: part["fits"] for label, part in results["parts"].items()}
    here = parts.get("here", {})
    for label, fits_there in parts.items():
        for name in here if label != "here" else ():
            if name not in fits_there:
                continue
            ratio = here[name]["changes"] / fits_there[name]["changes"]
            print(f"{name:10} {ratio:.2f} times the changes of {label}")


if __name__ == "__main__":
    main()
