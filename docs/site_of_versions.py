"""Put a build of the pages beside those of other versions: a folder each, and a list of them.

``python docs/site_of_versions.py BUILD SITE`` copies the pages to SITE/VERSION and writes

- SITE/versions.json, which the version menu of every page reads;
- SITE/index.html, which leads to the newest version.

The folder of a version that is there already is replaced; the others stay as they are.
"""

import argparse
import json
import re
import shutil
from importlib.metadata import version
from pathlib import Path

REDIRECT = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{project} {newest}</title>
<meta http-equiv="refresh" content="0; url={newest}/index.html">
</head>
<body><a href="{newest}/index.html">{project} {newest}</a></body>
</html>
"""


def order(name: str) -> tuple[int, ...]:
    """Return the numbers of a version, which sort as versions do."""
    return tuple(int(number) for number in re.findall(r"\d+", name))


def add(build: Path, site: Path, name: str, base: str = "/", project: str = "skbamm") -> None:
    """Copy a build to the folder of its version, and write the list of versions anew.

    Parameters
    ----------
    build : Path
        Folder of HTML pages.
    site : Path
        Folder of the site; made if it is not there.
    name : str
        Version, and name of its folder.
    base : str
        Address of the site, or its path on the server. Ends with a slash.
    project : str
    """
    if not (build / "index.html").is_file():
        raise SystemExit(f"{build} has no index.html: build the pages first (make site)")
    shutil.rmtree(site / name, ignore_errors=True)
    shutil.copytree(build, site / name, ignore=shutil.ignore_patterns(".doctrees", ".buildinfo"))
    found = [page.parent.name for page in site.glob("*/index.html")]
    names = sorted(found, key=order, reverse=True)
    entries = [
        {"version": one, "url": f"{base}{one}/", "preferred": one == names[0]} for one in names
    ]
    (site / "versions.json").write_text(json.dumps(entries, indent=1) + "\n")
    (site / "index.html").write_text(REDIRECT.format(project=project, newest=names[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("site", type=Path)
    parser.add_argument("--base", default="/", help="address of the site, with a slash at its end")
    given = parser.parse_args()
    if not given.base.endswith("/"):
        parser.error(f"--base must end with a slash, got {given.base!r}")
    add(given.build, given.site, version("skbamm"), given.base)
    print(
        f"{given.site}: "
        + ", ".join(sorted(p.parent.name for p in given.site.glob("*/index.html")))
    )


if __name__ == "__main__":
    main()
