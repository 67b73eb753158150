"""Write the table of what is searched, solved jointly or shared, from the registries.

``python docs/supported.py`` writes it into docs/shared_fits.rst, and a short one into README.md.
With ``--check`` it writes nothing and exits with 1 if one is out of date.
"""

import argparse
import re
from pathlib import Path

from skbamm.models.feature_maps import FEATURE_MAPS
from skbamm.models.registry import registered
from skbamm.shared_fits import shared_fits

PAGE = Path(__file__).resolve().parent / "shared_fits.rst"
README = PAGE.parents[1] / "README.md"
MARKED = re.compile(r"(\.\. supported\n\n).*?(\.\. /supported)", re.DOTALL)
IN_README = re.compile(r"(<!-- supported -->\n\n).*?(<!-- /supported -->)", re.DOTALL)


def rows() -> list[tuple[type, list[str], str]]:
    """Return an estimator, its parameters and the way taken, a row each."""
    found = []
    for kind, twin in registered().items():
        way = "intervals are searched" + (", lists solved jointly" if twin.solves_lists else "")
        found.append((kind, twin.hyperparameters, way))
        if twin.loss_parameter is not None:
            way = "intervals are searched, each value of a list is solved jointly in all folds"
            found.append((kind, (twin.loss_parameter,), way))
    for kind, feature_map in FEATURE_MAPS.items():
        way = "intervals are searched before a linear model; transformers are fitted once a fold"
        found.append((kind, (feature_map.hyperparameter,), way))
    named = [(kind, [one.name for one in parameters], way) for kind, parameters, way in found]
    for kind, family in shared_fits().items():
        solved = kind in registered()
        judged = [one.name for one in family.intervals if not solved]
        way = "shared fits" + (" where lists are not solved jointly" if solved else "")
        if judged:
            way += f"; the scorer judges intervals of {', '.join(map(_code, judged))}"
        named.append((kind, list(family.parameters), way))
    return named


def table() -> str:
    """Return the rows as a list-table of reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    written = [(k.__name__, ", ".join(map(_code, names)), way) for k, names, way in rows()]
    for row in [("estimator", "parameters", "the way taken"), *written]:
        for mark, cell in zip("*  ", row, strict=True):
            lines.append(f"   {mark} - {cell}")
    rest = "   * - any other\n     - any\n     - lists are enumerated"
    return "\n".join([*lines, rest])


def short_table() -> str:
    """Return the rows in Markdown, one for all estimators of a kind.

    Searched parameters stand apart from those of lists only, of which long names are left out.
    """
    kinds: dict[tuple[str, str], list[str]] = {}
    for kind, twin in registered().items():
        numbers = [one.name for one in twin.hyperparameters]
        own = twin.loss_parameter
        more = "" if own is None else f"; intervals of {_mark(own.name)}"
        lists = "lists jointly" if twin.solves_lists else "lists share kernels"
        key = ", ".join(map(_mark, numbers)), f"intervals by gradients, {lists}{more}"
        kinds.setdefault(key, []).append(kind.__name__)
    for kind, feature_map in FEATURE_MAPS.items():
        way = "intervals by gradients, before a linear model"
        kinds.setdefault((_mark(feature_map.hyperparameter.name), way), []).append(kind.__name__)
    for kind, family in shared_fits().items():
        if kind in registered():
            continue
        judged = ", ".join(_mark(one.name) for one in family.intervals)
        way = "lists by shared fits"
        if judged:
            way += f"; intervals of {judged}, judged by the scorer"
        first = ", ".join(map(_mark, family.parameters[:2]))
        some = first + (", ..." if len(family.parameters) > 2 else "")
        kinds.setdefault((some, way), []).append(kind.__name__)
    lines = ["| estimator | hyperparameters | the way taken |", "| --- | --- | --- |"]
    for (names, way), estimators in kinds.items():
        lines.append(f"| {', '.join(map(_mark, estimators))} | {names} | {way} |")
    return "\n".join([*lines, "| any other | any | lists, as in `GridSearchCV` |"])


def _code(name: str) -> str:
    return f"``{name}``"


def _mark(name: str) -> str:
    return f"`{name}`"


def main() -> int:
    """Write the page and the README, or check them."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--check", action="store_true", help="only say whether it is up to date")
    check, old = options.parse_args().check, []
    for path, marked, made in ((PAGE, MARKED, table()), (README, IN_README, short_table())):
        before = path.read_text()
        after = marked.sub(rf"\g<1>{made}\n\n\g<2>", before)
        if after != before:
            old.append(path.name)
            if not check:
                path.write_text(after)
    if check:
        print(f"out of date: {', '.join(old)}; make tables writes them" if old else "up to date")
    return int(check and bool(old))


if __name__ == "__main__":
    raise SystemExit(main())
