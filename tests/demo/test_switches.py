"""The table of switches, its documentation, and that every switch is tried by some test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.demo.switchboard import Switchboard, SwitchError, allowed_text
from gateway.demo.switches import SWITCHES

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `(\w+)` \| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def test_documentation_and_code_have_the_same_switches() -> None:
    """docs/demo.md lists every switch with default, values and sentence, in order, and no other."""
    text = (ROOT / "docs" / "demo.md").read_text()
    documented = [row for row in ROW.findall(text) if row[0] != "switch"]
    actual = [
        (
            s.name,
            str(s.default).lower() if isinstance(s.default, bool) else str(s.default),
            allowed_text(s),
            s.sentence,
        )
        for s in SWITCHES
    ]

    assert documented == actual


def test_every_switch_is_used_by_the_code_and_by_a_test() -> None:
    """No row without effect, and none that nobody tries."""

    def mentioned(folder: str, apart: str) -> str:
        files = [path for path in (ROOT / folder).rglob("*.py") if path.name != apart]
        return "\n".join(path.read_text() for path in files)

    code, tests = mentioned("gateway/demo", "switches.py"), mentioned("tests/demo", "test_switches.py")
    composed = {
        f"{endpoint}_{what}" for endpoint in ("token", "revoke") for what in ("answer", "delay_seconds")
    }
    composed |= {"discovery_answer", "keys_answer"}
    names = {switch.name for switch in SWITCHES}

    assert {name for name in names - composed if f'"{name}"' not in code} == set()
    assert {name for name in names - composed if not re.search(rf"\b{name}\b", tests)} == set()


def test_names_are_unique_and_defaults_are_allowed() -> None:
    """The table itself holds."""
    assert len({switch.name for switch in SWITCHES}) == len(SWITCHES)
    board = Switchboard({})
    board.set(board.as_dict())
    assert board.as_dict() == {switch.name: switch.default for switch in SWITCHES}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"refresh_rotation": "on"}, True),
        ({"refresh_rotation": "False"}, False),
        ({"refresh_rotation": True}, True),
        ({"extra_groups": "100"}, 100),
        ({"extra_groups": 0}, 0),
        ({"branding": "classic"}, "classic"),
    ],
)
def test_values_are_understood_as_text_and_as_json(given: dict[str, str | int | bool], kept: object) -> None:
    """A command line gives text, control gives JSON."""
    assert next(Switchboard(given).as_dict()[name] for name in given) == kept


@pytest.mark.parametrize(
    "given",
    [
        {"refresh_rotation": 2},
        {"extra_groups": 101},
        {"extra_groups": -1},
        {"extra_groups": 1.5},
        {"extra_groups": None},
        {"extra_groups": "٣"},
        {"branding": "Classic"},
        {"branding": False},
        {"nothing_like_it": 1},
    ],
)
def test_wrong_values_say_what_is_possible(given: dict[str, object]) -> None:
    """The error names the switch and what it takes."""
    with pytest.raises(SwitchError, match=r"takes|there are"):
        Switchboard({}).set(given)
