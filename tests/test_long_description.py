"""What a package index shows: README without a link that leads nowhere."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ADDRESS = "https://code.example/skbamm"
FILES, PICTURES = f"{ADDRESS}/blob/main", f"{ADDRESS}/raw/main"

pytest.importorskip("hatchling")


@pytest.fixture(scope="module")
def hook():
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def links(text):
    return re.findall(r"\[[^]]*\]\(([^)\s]+)\)", text)


@pytest.mark.parametrize("repository", ["", ADDRESS])
def test_each_link_is_an_address(hook, repository):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert any(not link.startswith("https:") for link in links(readme))

    shown = hook.described(readme, repository)

    assert all(link.startswith("https://") for link in links(shown))
    assert ("Coming from GridSearchCV" in shown) and ("loguniform(1e-4, 1e4)" in shown)
    assert len(links(shown)) == len(links(readme)) or not repository


@pytest.mark.parametrize(
    ("text", "without", "with_address"),
    [
        ("see [changes](NEWS.md).", "see changes.", f"see [changes]({FILES}/NEWS.md)."),
        ("![a plot](docs/a.png)\n\nText", "Text", f"![a plot]({PICTURES}/docs/a.png)\n\nText"),
        ("[paper](https://arxiv.org/abs/2302.03407)",) * 3,
        ("[below](#use)",) * 3,
        (
            "`(low, high)` and [0, 1](x)",
            "`(low, high)` and 0, 1",
            f"`(low, high)` and [0, 1]({FILES}/x)",
        ),
    ],
)
def test_links_by_path_follow_the_address(hook, text, without, with_address):
    assert hook.described(text, "") == without
    assert hook.described(text, ADDRESS) == with_address


def test_metadata_has_the_addresses_that_there_are(hook):
    metadata = {}
    hook.Metadata(str(ROOT), {"repository": f"{ADDRESS}/"}).update(metadata)

    assert metadata["urls"]["Homepage"] == metadata["urls"]["Source"] == ADDRESS
    assert "Documentation" not in metadata["urls"]
    assert metadata["readme"]["content-type"] == "text/markdown"

    hook.Metadata(str(ROOT), {}).update(metadata)
    assert list(metadata["urls"]) == ["Publication"]
