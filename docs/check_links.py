"""Check the links of the built pages: ``python docs/check_links.py docs/_build/html``.

Links inside of the site, and those of the texts beside it to files, have to lead somewhere; nothing
may be loaded from elsewhere. Links to other sites are counted, and tried with ``--online``.
"""

import argparse
import re
import sys
import urllib.request
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
# What a page needs to be shown, by tag and attribute.
LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src")}
_NOT_LOADED = {"canonical", "search", "next", "prev", "index", "author", "license"}


class Page(HTMLParser):
    """The links, the anchors and what is loaded of one page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loaded, self.anchors = [], [], {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        """Note a tag."""
        given = dict(attrs)
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        for name in ("href", "src"):
            if not given.get(name):
                continue
            aside = set((given.get("rel") or "").split()) & _NOT_LOADED
            kind = self.loaded if (tag, name) in LOADED and not aside else self.links
            kind.append(given[name])


def broken_links(site):
    """Return what is wrong with the pages of a folder, and the addresses elsewhere."""
    pages = {
        path: Page(path) for path in sorted(site.rglob("*.html")) if path.parent != site / "_static"
    }
    wrong, elsewhere = [], set()
    for path, page in pages.items():
        here = path.relative_to(site)
        for link in page.links + page.loaded:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https") or link.startswith("//"):
                if link in page.loaded:
                    wrong.append(f"{here}: loads {link}")
                elsewhere.add(link)
                continue
            if parts.scheme:  # mailto, data
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            if not target.is_file():
                wrong.append(f"{here}: no file {link}")
            elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
                wrong.append(f"{here}: no place {link}")
    return wrong, elsewhere


def broken_files(root):
    """Return the links of the texts beside the site whose files are not there."""
    wrong = []
    for path in sorted(root.glob("*.md")):
        for link in re.findall(r"\]\(([^)\s#]+)[^)]*\)", path.read_text(encoding="utf-8")):
            if not urlsplit(link).scheme and not (path.parent / link).exists():
                wrong.append(f"{path.name}: no file {link}")
    return wrong


def silent(address):
    """Return why an address does not answer; "" if it does."""
    request = urllib.request.Request(address, headers={"User-Agent": "check_links"})
    try:
        with urllib.request.urlopen(request, timeout=20):
            return ""
    except OSError as error:
        return str(error)


def main():
    """Print what is wrong, and exit with 1 if anything is."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("--online", action="store_true", help="try the links to other sites, too")
    given = parser.parse_args()
    site = given.site.resolve()
    wrong, elsewhere = broken_links(site)
    wrong += broken_files(ROOT)
    if given.online:
        wrong += [f"{one}: {why}" for one in sorted(elsewhere) if (why := silent(one))]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    told = "tried" if given.online else "not tried"
    print(f"{len(list(site.rglob('*.html')))} pages, {len(wrong)} broken links; "
          f"{len(elsewhere)} addresses of other sites, {told}")  # fmt: skip
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
