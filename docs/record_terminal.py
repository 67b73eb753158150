"""Record what a command shows in a terminal of 80 columns, as a picture for the pages.

``python docs/record_terminal.py docs/images/verbose.svg examples/verbose.py`` runs the script.
Needs rich. A bar that is drawn over is shown as it was last.
"""

import argparse
import os
import pty
import re
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS, LINES = 80, 50


def recorded(command: list[str]) -> str:
    """Run a command in a terminal, and return all that it wrote."""
    written = bytearray()

    def read(descriptor: int) -> bytes:
        data = os.read(descriptor, 4096)
        written.extend(data)
        return data

    os.environ.update(COLUMNS=str(COLUMNS), LINES=str(LINES), TERM="xterm-256color")
    if code := pty.spawn(command, read):
        raise SystemExit(f"{' '.join(command)} ended with {code}")
    return written.decode()


def screen(written: str) -> str:
    """Return the lines as they are left: of each, what follows its last return to the start."""
    written = re.sub(r"\x1b\[[0-9;?]*[A-LN-Za-ln-z]", "", written)  # all but colours
    lines = written.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rsplit("\r", 1)[-1] for line in lines).strip("\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("script", type=Path)
    given = parser.parse_args()
    left = screen(recorded([sys.executable, str(given.script)]))
    console = Console(record=True, width=COLUMNS, file=StringIO())
    console.print(Text.from_ansi(left))
    picture = console.export_svg(title=f"python {given.script}")
    # Pages load nothing from elsewhere, fonts neither.
    given.picture.write_text(re.sub(r"@font-face\s*{.*?}\s*", "", picture, flags=re.DOTALL))
    print(f"\nwrote {given.picture}")


if __name__ == "__main__":
    main()
