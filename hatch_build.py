"""The long description and the addresses in a package's metadata.

README.md links to files of the repository by their paths. A package index knows no such files:
there each link leads to the file's public address. Without an address (``repository`` in
pyproject.toml is empty) only the words of the link stay, so that no link is broken.
"""

from __future__ import annotations

import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"(?P<picture>!?)\[(?P<words>[^]]*)\]\((?P<target>[^)\s]+)\)")
PARAGRAPH_OF_PICTURE = re.compile(r"^!\[[^]]*\]\((?!https?:)[^)\s]+\)\n+", re.MULTILINE)


def described(readme: str, repository: str, branch: str = "main") -> str:
    """Return README as an index can show it.

    Parameters
    ----------
    readme : str
        Markdown with links by path.
    repository : str
        The public address of the repository, or "".
    branch : str, default="main"
    """
    if not repository:
        readme = PARAGRAPH_OF_PICTURE.sub("", readme)

    def link(found: re.Match[str]) -> str:
        target = found["target"]
        if re.match(r"https?:|mailto:|#", target):
            return found[0]
        if not repository:
            return found["words"]
        view = "raw" if found["picture"] else "blob"
        return f"{found['picture']}[{found['words']}]({repository}/{view}/{branch}/{target})"

    return LINK.sub(link, readme)


def addresses(repository: str, documentation: str) -> dict[str, str]:
    """Return the addresses of the project; those of what has none are left out."""
    found = {"Publication": "https://arxiv.org/abs/2302.03407"}
    if repository:
        found |= {
            "Homepage": documentation or repository,
            "Source": repository,
            "Issues": f"{repository}/issues",
            "Changelog": f"{repository}/blob/main/CHANGELOG.md",
        }
    if documentation:
        found["Documentation"] = documentation
    return found


class Metadata(MetadataHookInterface):
    """Fills in ``readme`` and ``urls``; its settings are in pyproject.toml."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict) -> None:
        """See ``MetadataHookInterface``."""
        repository = self.config.get("repository", "").rstrip("/")
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": described(readme, repository),
        }
        metadata["urls"] = addresses(repository, self.config.get("documentation", "").rstrip("/"))
