"""What the pages need of Sphinx: formulas without a network, and pictures for light and dark pages.

Formulas are MathML, which browsers draw by themselves.
"""

from docutils.nodes import SkipNode
from latex2mathml.converter import convert


def inline(writer, node):
    """Write a formula within a line."""
    writer.body.append(f'<span class="math">{_of(node.astext(), "inline")}</span>')
    raise SkipNode


def block(writer, node):
    """Write a formula of its own, which may be wider than the page."""
    writer.body.append(f'<div class="math-block">{_of(node.astext(), "block")}</div>\n')
    raise SkipNode


def _of(latex, display):
    if "&" in latex:  # lines that are aligned
        latex = rf"\begin{{split}}{latex}\end{{split}}"
    try:
        return convert(latex, display=display)
    except Exception as error:
        raise ValueError(f"latex2mathml cannot read {latex!r}: {error}") from error


def setup(app):
    """Register the renderer with Sphinx."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True}


def colours(gallery_conf, name):
    """Let plots of the gallery be transparent, with text that is read on white and on black."""
    import matplotlib

    grey = "#7d8590"
    texts = ("text.color", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color")
    matplotlib.rcParams.update(dict.fromkeys((*texts, "axes.edgecolor"), grey))
    clear = ("figure.facecolor", "axes.facecolor", "legend.edgecolor")
    matplotlib.rcParams.update({"savefig.transparent": True, **dict.fromkeys(clear, "none")})
    # A legend may stand on a map of colours.
    matplotlib.rcParams.update({"legend.facecolor": "white", "legend.labelcolor": grey})
