"""The table of all keys in ``docs/configuration.md``. ``python -m gateway.config.reference FILE`` renews it there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from gateway.config.environment import variable
from gateway.config.fields import Key, keys
from gateway.config.schema import type_words
from gateway.settings.kinds import REQUIRED

BEGIN = "<!-- the table of keys: begin -->"
END = "<!-- the table of keys: end -->"
_HEAD = "| key | type | default | environment | meaning |\n|---|---|---|---|---|\n"


def table() -> str:
    """Markdown: every key, in the order of the reference listing."""
    return _HEAD + "".join(_row(key) for key in keys())


def renewed(text: str) -> str:
    """``text`` with the table between its two markers.

    :raises ValueError: there are no markers.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the text lacks {BEGIN} and {END}")
    return f"{before}{begin}\n{table()}{end}{after}"


def _row(key: Key) -> str:
    name = "" if "[]" in key.path else f"`{variable(key)}`"
    return (
        f"| `{key.dotted}` | {type_words(key.type)} | {default_words(key)} | {name} | {key.description} |\n"
    )


def default_words(key: Key) -> str:
    """The default as one would write it."""
    default = key.default
    if key.dotted == "logout.chain":
        return "the provider's own"
    if key.dotted == "provider.auth_time_proves":
        return "the kind's own"
    if default is REQUIRED:
        return "required"
    if default is None:
        return "none"
    return f"`{default}`" if isinstance(default, str) else f"`{json.dumps(default)}`"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(renewed(target.read_text(encoding="utf-8")), encoding="utf-8")
