"""Write the table of what is searched, solved jointly or shared, from the registries.

``python docs/supported.py`` writes it into docs/shared_fits.rst; with ``--check`` it writes nothing
and exits with 1 if the page is out of date.
"""

import argparse
import re
from pathlib import Path

from skbamm.models.feature_maps import FEATURE_MAPS
from skbamm.models.registry import registered
from skbamm.shared_fits import shared_fits

PAGE = Path(__file__).resolve().parent / "shared_fits.rst"
MARKED = re.compile(r"(\.\. supported\n\n).*?(\.\. /supported)", re.DOTALL)


def rows() -> list[tuple[str, str, str]]:
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
        named.append((kind, list(family.parameters), "shared fits"))
    return [
        (kind.__name__, ", ".join(f"``{name}``" for name in names), way)
        for kind, names, way in named
    ]


def table() -> str:
    """Return the rows as a list-table of reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in [("estimator", "parameters", "the way taken"), *rows()]:
        for mark, cell in zip("*  ", row, strict=True):
            lines.append(f"   {mark} - {cell}")
    rest = "   * - any other\n     - any\n     - lists are enumerated"
    return "\n".join([*lines, rest])


def main() -> int:
    """Write the page, or check it."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--check", action="store_true", help="only say whether it is up to date")
    before = PAGE.read_text()
    after = MARKED.sub(lambda match: f"{match[1]}{table()}\n\n{match[2]}", before)
    if options.parse_args().check:
        print("up to date" if after == before else "out of date")
        return int(after != before)
    PAGE.write_text(after)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
