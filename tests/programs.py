"""The programs that tests and benchmarks may start: those of `requirements/programs`, and no others.

`tests/servers.sh` installs them and makes a directory of links for each who needs some. With that as the whole PATH, what
a fresh machine lacks is missing on every machine.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "requirements" / "programs"
LINKS = ROOT / "build" / "programs"


@dataclass(frozen=True)
class Row:
    """A line of the table.

    :ivar program: a name, the path of a file, or ``-``. :ivar package: Debian's, or ``-`` where it may be missing.
    :ivar who: who needs it. :ivar starts: the programs that it starts in turn.
    """

    program: str
    package: str
    who: frozenset[str]
    starts: tuple[str, ...]

    @property
    def linked(self) -> bool:
        return not self.program.startswith(("/", "-"))


def table(text: str) -> list[Row]:
    """The rows of such a text."""
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [Row(line[0], line[1], frozenset(line[2].split(",")), tuple(line[3:])) for line in lines]


def only(*who: str) -> None:
    """From here on, this process and what it starts find the programs of ``who`` and no others.

    :raises SystemExit: the links are missing or of another table.
    """
    for each in who:
        links = LINKS / each
        stamp = links / ".table"
        if not stamp.is_file() or stamp.read_text() != TABLE.read_text():
            command = f"bash tests/servers.sh {each}"
            raise SystemExit(
                f"{links.relative_to(ROOT)} is not what requirements/programs says; run `{command}`"
            )
    os.environ["PATH"] = os.pathsep.join(str(LINKS / each) for each in who)


def program(name: str) -> Path:
    """Where a program is.

    :raises FileNotFoundError: it is not installed, or whoever runs is not known to need it.
    """
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(
            f"{name} is not among the programs linked in {os.environ.get('PATH', '')}: "
            f"`make servers` installs what requirements/programs lists"
        )
    return Path(found)
