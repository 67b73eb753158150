"""Validate the docstrings of everything that docs/api.rst names, by numpydoc's rules.

``python docs/check_docstrings.py`` prints what is wrong and exits with 1 if there is anything. The
sections "See Also", "Examples" and the extended summary are optional here. So are "Parameters" and
"Returns" of methods, if a sentence says all there is, and "Parameters" of classes whose attributes
are their fields.
"""

import dataclasses
import importlib
import inspect
import re
from enum import Enum
from pathlib import Path
from typing import Any

from numpydoc.validate import validate

API = Path(__file__).with_name("api.rst")
OPTIONAL = {"ES01", "SA01", "SA03", "EX01"}
OF_SECTIONS = {"PR01", "RT01"}


def public() -> dict[str, Any]:
    """Return what the page names, and the public methods and properties of its classes."""
    found: dict[str, Any] = {}
    module = ""
    for line in API.read_text().splitlines():
        if match := re.match(r"\.\. currentmodule:: (\S+)", line):
            module = match[1]
        elif match := re.match(r"    (\w+)$", line):
            one = getattr(importlib.import_module(module), match[1])
            found[f"{module}.{match[1]}"] = one
            if inspect.isclass(one):
                found |= {
                    f"{module}.{match[1]}.{name}": value
                    for name, value in vars(one).items()
                    if not re.match("_|set_.*_request", name) and inspect.isroutine(value)
                }
    return found


def has_fields(one: Any) -> bool:
    """Whether a class documents its fields as attributes, or has no constructor of its own."""
    fields = dataclasses.is_dataclass(one) or hasattr(one, "_fields")
    return fields or getattr(one, "_is_protocol", False) or issubclass(one, Enum)


def faults(name: str, one: Any) -> list[str]:
    """Return what is wrong with a docstring."""
    report = validate(name)
    method = name.rpartition(".")[0] in NAMES
    brief = has_fields(one) if inspect.isclass(one) else method
    if brief and "Parameters\n" not in report["docstring"]:
        ignored = OPTIONAL | OF_SECTIONS
    else:
        ignored = OPTIONAL
    return [f"{name}: {code} {words}" for code, words in report["errors"] if code not in ignored]


if __name__ == "__main__":
    NAMES = public()
    wrong = [fault for name, one in NAMES.items() for fault in faults(name, one)]
    print("\n".join(wrong) or f"{len(NAMES)} docstrings are as numpydoc asks")
    raise SystemExit(bool(wrong))
