"""What the tests have run of the gateway, folder by folder: the last step of ``make coverage``.

Reads what `coverage json` has written. Ends with status 1 where a folder has less than it should, or where code is
left out without a reason beside it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ALL = ("gateway/core", "gateway/oidc")
"""Pure, so that nothing in them is hard to reach: every line and branch."""
MOST = 95.0
"""Percent, of lines and branches together, in every other folder."""
_LEFT_OUT = re.compile(r"# pragma: no (?:cover|branch)(?P<why> - \w.*)?")


@dataclass
class Folder:
    """:ivar gaps: by file, the lines that nothing has run, and ``line->line`` where nobody went."""

    name: str
    lines: int = 0
    lines_run: int = 0
    branches: int = 0
    branches_run: int = 0
    gaps: list[str] = field(default_factory=list)

    @property
    def percent(self) -> float:
        """Of lines and branches together, as coverage counts."""
        there = self.lines + self.branches
        return 100.0 * (self.lines_run + self.branches_run) / there if there else 100.0

    @property
    def wanted(self) -> float:
        return 100.0 if self.name in ALL else MOST

    @property
    def good(self) -> bool:
        return self.percent >= self.wanted

    def add(self, file: str, found: Mapping[str, Any]) -> None:
        """One file of the report."""
        sums = found["summary"]
        self.lines += sums["num_statements"]
        self.lines_run += sums["covered_lines"]
        self.branches += sums["num_branches"]
        self.branches_run += sums["covered_branches"]
        missing = found["missing_lines"]
        gaps = list(_ranges(missing))
        gaps += [
            f"{begin}->{'exit' if end < 0 else end}"
            for begin, end in found["missing_branches"]
            if begin not in missing and end not in missing
        ]
        if gaps:
            self.gaps.append(f"{file}: {', '.join(gaps)}")


def folders(report: Mapping[str, Any]) -> list[Folder]:
    """Those of a JSON report, by name."""
    found: dict[str, Folder] = {}
    for file, each in report["files"].items():
        name = "/".join(Path(file).parent.parts[:2])
        found.setdefault(name, Folder(name)).add(file, each)
    return [found[name] for name in sorted(found)]


def left_out() -> Iterator[tuple[str, str]]:
    """Where code of the gateway is left out, and why; an empty reason is none."""
    for file in sorted((ROOT / "gateway").rglob("*.py")):
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            if match := _LEFT_OUT.search(line):
                yield f"{file.relative_to(ROOT)}:{number}", (match["why"] or "").removeprefix(" - ")


def table(found: Iterable[Folder]) -> list[str]:
    """In Markdown, which is readable as it is."""
    return [
        "| folder | lines | branches | covered | wanted |",
        "|---|---|---|---|---|",
        *(
            f"| {each.name} | {each.lines_run}/{each.lines} | {each.branches_run}/{each.branches}"
            f" | {int(each.percent * 10) / 10:.1f} % | {each.wanted:.0f} % |"
            for each in found
        ),
    ]


def _ranges(lines: Iterable[int]) -> Iterator[str]:
    begin = end = -1
    for line in lines:
        if line != end + 1:
            if begin > 0:
                yield f"{begin}-{end}" if end > begin else f"{begin}"
            begin = line
        end = line
    if begin > 0:
        yield f"{begin}-{end}" if end > begin else f"{begin}"


def main(report: Path) -> int:
    """Print it all; the exit status."""
    found = folders(json.loads(report.read_text()))
    reasons = list(left_out())
    print("\n".join(table(found)))
    print("\nLeft out:")
    print("\n".join(f"  {place}: {why or 'NO REASON'}" for place, why in reasons) or "  nothing")
    short = [each for each in found if not each.good]
    for each in found:
        if each.gaps:
            print(
                f"\nNothing has run, in {each.name}{'' if each.good else ', which has less than it should'}:"
            )
            print("\n".join(f"  {gap}" for gap in each.gaps))
    return 1 if short or not all(why for _, why in reasons) else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
