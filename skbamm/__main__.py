"""``python -m skbamm`` prints versions, devices and threads, for a report of a bug."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import torch
from threadpoolctl import threadpool_info

import skbamm

# What a search needs, and then what it uses where it is installed.
NEEDED = ("numpy", "scipy", "scikit-learn", "torch", "joblib", "threadpoolctl")
OPTIONAL = ("pandas", "matplotlib", "tqdm")


def installed(name: str) -> str:
    """Return the version of a distribution, or "not installed"."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def devices() -> list[str]:
    """Return what torch can compute on."""
    found = [f"cpu ({platform.machine()})"]
    for k in range(torch.cuda.device_count()):
        found.append(f"cuda:{k} ({torch.cuda.get_device_name(k)})")
    return found


def main() -> None:
    """Print the report."""
    rows = [
        ("skbamm", skbamm.__version__),
        ("Python", sys.version.split()[0]),
        ("system", platform.platform()),
        *((name, installed(name)) for name in (*NEEDED, *OPTIONAL)),
        ("devices", ", ".join(devices())),
        ("torch threads", str(torch.get_num_threads())),
    ]
    for pool in threadpool_info():
        if pool["num_threads"] != torch.get_num_threads() or pool["user_api"] == "blas":
            label = pool.get("internal_api", pool["user_api"])
            rows.append((f"{label} threads", f"{pool['num_threads']} ({pool['prefix']})"))
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")


if __name__ == "__main__":
    main()
