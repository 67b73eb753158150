"""Draw the packages of skbamm and who imports whom, from the source: docs/images/architecture.svg.

``python docs/architecture.py`` writes the picture; with ``--check`` it writes nothing and exits
with 1 if a package imports one that is not below it. An arrow that follows from others is left out.
"""

import argparse
import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "architecture.svg"

# Each package's row from the bottom, its column, and what it is for.
PACKAGES = {
    "effort": (0, 1.0, "counts of work"),
    "folds": (1, 0.0, "rows in folds: products with X"),
    "losses": (1, 1.0, "losses of rows"),
    "bilevel": (1, 2.0, "sl-BAMM: loop, steps, guards"),
    "criteria": (2, 0.5, "differentiable criteria"),
    "metrics": (2, 1.5, "scores of tensors"),
    "glm": (3, 1.0, "penalised linear problems"),
    "kernels": (3, 2.0, "kernel ridge problems"),
    "support_vectors": (3, 0.0, "libsvm's kernels and slopes"),
    "shared_fits": (4, 0.0, "one fit for many candidates"),
    "models": (4, 1.0, "twins of estimators"),
    "weights": (4, 2.0, "learned weights of rows"),
    "space": (5, 0.0, "param_grid and intervals"),
    "data": (5, 1.0, "what folds share of X and y"),
    "starts": (6, 0.0, "paths and starting points"),
    "solvers": (7, 0.5, "a solver for each family"),
    "shrinkage": (8, 1.5, "vectors of penalties"),
    "search": (9, 1.0, "BAMMSearchCV"),
    "testing": (10, 1.0, "check_model"),
}
WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 220, 46, 30, 30, 20


def package_of(module: str) -> str:
    """Return the package, or the module at the top, that a module of skbamm belongs to."""
    return module.split(".")[1] if "." in module else ""


def imports() -> dict[str, set[str]]:
    """Return what each drawn package imports at run time."""
    found: dict[str, set[str]] = {name: set() for name in PACKAGES}
    for path in (ROOT / "skbamm").rglob("*.py"):
        here = package_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
        if here not in found:
            continue
        tree = ast.parse(path.read_text())
        for_types = {
            id(inside)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
            for inside in ast.walk(node)
        }
        for node in ast.walk(tree):
            if id(node) in for_types or not isinstance(node, ast.ImportFrom):
                continue
            if node.module and node.module.startswith("skbamm."):
                there = package_of(node.module)
                if there in found and there != here:
                    found[here].add(there)
    return found


def upward(found: dict[str, set[str]]) -> list[str]:
    """Return the imports that do not go down."""
    return [
        f"{one} imports {other}"
        for one, others in sorted(found.items())
        for other in sorted(others)
        if PACKAGES[other][0] >= PACKAGES[one][0]
    ]


def reduced(found: dict[str, set[str]]) -> list[tuple[str, str]]:
    """Return the imports that do not follow from others."""
    below: dict[str, set[str]] = {}
    for name in sorted(found, key=lambda name: PACKAGES[name][0]):
        below[name] = found[name].union(*(below[one] for one in found[name]))
    return [
        (one, other)
        for one, others in sorted(found.items())
        for other in sorted(others)
        if not any(other in below[between] for between in others - {other})
    ]


def draw(arrows: list[tuple[str, str]]) -> str:
    """Return the picture."""
    columns, rows = (max(place[i] for place in PACKAGES.values()) + 1 for i in (1, 0))
    width = 2 * MARGIN + columns * WIDTH + (columns - 1) * GAP_X
    height = 2 * MARGIN + rows * HEIGHT + (rows - 1) * GAP_Y

    def corner(name: str) -> tuple[float, float]:
        row, column, _ = PACKAGES[name]
        left = MARGIN + column * (WIDTH + GAP_X)
        return left, height - MARGIN - HEIGHT - row * (HEIGHT + GAP_Y)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" font-family="sans-serif">',
        "<title>The packages of skbamm; each imports only what is below it</title>",
        f'<rect width="{width:g}" height="{height:g}" fill="white"/>',
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="6" refY="3" orient="auto">'
        '<path d="M0,0 L6,3 L0,6 z" fill="#667"/></marker></defs>',
    ]
    for one, other in arrows:
        (x, y), (u, v) = corner(one), corner(other)
        start, end = (x + WIDTH / 2 + 0.3 * (u - x), y + HEIGHT), (u + WIDTH / 2, v)
        parts.append(
            f'<line x1="{start[0]:g}" y1="{start[1]:g}" x2="{end[0]:g}" y2="{end[1]:g}" '
            'stroke="#667" marker-end="url(#tip)"/>'
        )
    for name, (_, _, role) in PACKAGES.items():
        x, y = corner(name)
        middle = f'x="{x + WIDTH / 2:g}" text-anchor="middle"'
        parts += [
            f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="5" '
            'fill="#eef2f8" stroke="#446"/>',
            f'<text {middle} y="{y + 19:g}" font-size="15" font-weight="bold">{name}</text>',
            f'<text {middle} y="{y + 36:g}" font-size="12">{role}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


def main() -> int:
    """Write the picture, or check the imports."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--check", action="store_true", help="only check that imports go down")
    found = imports()
    wrong = upward(found)
    print("\n".join(wrong) or "all imports go down")
    if not options.parse_args().check:
        PICTURE.parent.mkdir(exist_ok=True)
        PICTURE.write_text(draw(reduced(found)))
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
