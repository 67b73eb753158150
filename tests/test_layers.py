"""No two files of the package need each other; `docs/architecture.py` checks its packages."""

import ast
from pathlib import Path

import skbamm

ROOT = Path(skbamm.__file__).parent


def imports():
    """Yield each module of the package with the modules of the package that it imports."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        found = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("skbamm"):
                base = node.module.removeprefix("skbamm").removeprefix(".")
                for alias in node.names:
                    whole = f"{base}.{alias.name}".strip(".")
                    found.add(
                        whole
                        if (ROOT / whole.replace(".", "/")).with_suffix(".py").exists()
                        or (ROOT / whole.replace(".", "/")).is_dir()
                        else base
                    )
        yield name, found - {name, ""}


def test_no_two_files_need_each_other():
    graph = dict(imports())
    # A folder's __init__ stands for what it exports.
    done, path = set(), []

    def visit(name):
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name in done:
            return
        path.append(name)
        for other in sorted(graph.get(name, ())):
            inside = name.startswith(f"{other}.")  # a file may be loaded by its own folder
            if not inside:
                visit(other)
        path.pop()
        done.add(name)

    for name in graph:
        visit(name)


def test_private_names_of_scikit_learn_are_in_one_file():
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        if path.name == "_sklearn_compat.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sklearn"):
                names = [*node.module.split("."), *(alias.name for alias in node.names)]
                found += [f"{path.name}: {n}" for n in names if n.startswith("_")]
    assert not found
