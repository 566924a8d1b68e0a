"""Every sentence of ours that people read, by its id; `messages.toml` has them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final


def _flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, str):
            yield f"{above}{name}", value
        else:
            yield from _flat(value, f"{above}{name}.")


MESSAGES: Final = dict(
    _flat(tomllib.loads((Path(__file__).parent / "messages.toml").read_text(encoding="utf-8")))
)


def message(name: str, /, **values: object) -> str:
    """The message of this id.

    :param values: what its placeholders stand for.
    :raises KeyError: there is no such message, or it has a placeholder that is not given.
    """
    return MESSAGES[name].format(**values)


def message_for(kind: str, code: str, default: str = "", /, **values: object) -> str:
    """The message ``kind.code``; where there is none, as for a code of another version, ``kind.default``, if any."""
    code = code if f"{kind}.{code}" in MESSAGES else default
    return message(f"{kind}.{code}", **values) if code else ""
