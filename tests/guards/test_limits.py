"""Every constant that bounds what a client or an upstream may take is a key, or has its reason in docs/limits.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from gateway.config.fields import keys

ROOT = Path(__file__).parents[2]
GATEWAY = ROOT / "gateway"
PLACES = ("web/door", "proxy", "app")
NUMBERS = re.compile(r"[\s\d._*+<>()e,-]+|float\('inf'\)")


def constants() -> set[str]:
    """Module and name of each constant of a module that is a number, or several."""
    found: set[str] = set()
    for path in (path for place in PLACES for path in (GATEWAY / place).glob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [name.id for each in targets for name in ast.walk(each) if isinstance(name, ast.Name)]
            value = ast.unparse(node.value)
            known = {name.partition(" ")[2] for name in found}
            if NUMBERS.fullmatch(value) or any(
                re.search(rf"\b{one}\b", value) for one in known if one.isupper()
            ):
                found |= {
                    f"{path.relative_to(GATEWAY)} {name}" for name in names if name.strip("_").isupper()
                }
    return found


def test_every_constant_that_is_a_limit_has_its_reason() -> None:
    """In both directions: a new one needs a row, and a row needs one."""
    rows = set(
        re.findall(r"(?m)^\| `((?:web|proxy|app)/\S+ \w+)` \|", (ROOT / "docs/limits.md").read_text("utf-8"))
    )
    assert len(rows) > 30
    assert constants() == rows


def test_every_limit_that_is_a_key_says_what_others_have() -> None:
    """`timeouts` and `limits` as a whole, and what an upstream may have for itself."""
    table = (ROOT / "docs/limits.md").read_text("utf-8").partition("## Constants")[0]
    written = set(re.findall(r"`([a-z_.]+)`", table))
    named = {key.dotted for key in keys() if key.path[0] in {"timeouts", "limits"}} - {"limits.cookies"}
    assert named <= written
    own = {key.path[-1] for key in keys() if "In the place of" in key.description}
    assert own
    assert own <= written
