"""Sphinx configuration; ``make docs`` builds the pages into docs/_build/html."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # pages.py

project = "skbamm"
author = "skbamm developers"
release = installed_version("skbamm")
version = release

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
    "pages",
]
html_math_renderer = "mathml"
exclude_patterns = ["_build"]
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"(wrong_labels|group_penalties|see_a_search|verbose)\.py",
    "ignore_pattern": r"(demo|published_experiments)\.py",
    "download_all_examples": False,
    "write_computation_times": False,
    "reset_modules": ("matplotlib", "pages.colours"),
}
default_role = "code"

# Inherited docstrings use terms and labels of scikit-learn's pages, which are not ours.
suppress_warnings = ["ref.term", "ref.ref"]

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings give types and shapes
autodoc_default_options = {"members": True, "inherited-members": False}
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True  # attributes that are properties are described once

html_theme = "pydata_sphinx_theme"
html_title = f"skbamm {release}"
html_sidebars = {"**": []}  # few pages need no second menu
html_theme_options = {"show_prev_next": False, "header_links_before_dropdown": 3}
if tags.has("site"):  # noqa: F821 (Sphinx's): beside other versions, see site_of_versions.py
    html_theme_options |= {
        "switcher": {"json_url": "../versions.json", "version_match": release},
        "check_switcher": False,  # the list is written after the pages
        "navbar_end": ["version-switcher", "theme-switcher"],
        "show_version_warning_banner": True,
    }
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_js_files = ["pages.js"]
