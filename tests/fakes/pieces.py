"""Other addresses, ports and keys in a text, put there in one pass."""

from __future__ import annotations

import re
from collections.abc import Mapping


def put(text: str, pieces: Mapping[str, str]) -> str:
    """``text`` with each of ``pieces``, which must all be in it, replaced by what it stands for.

    One replacement after another would look at what those before have put there: of ``127.0.0.1:3000`` in a recipe one
    that has just put ``127.0.0.1:30007`` there would make ``127.0.0.1:380417``. Here nothing that was put is looked at
    again, and where two pieces begin at the same place the longer one counts.

    :raises AssertionError: one of them is not there, so the text has changed and the test would try something else.
    """
    missing = [old for old in pieces if old not in text]
    assert not missing, f"{missing} not in: {text[:2000]}"
    if not pieces:
        return text
    longest_first = sorted(pieces, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), lambda found: pieces[found[0]], text)
