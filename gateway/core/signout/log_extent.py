"""How far a log goes, and which positions it has never given (rule R4).

Positions are given in order and sealed into sessions and into chains that are over. So a sealed position that the log
has not given, under the id that it still has, proves that this log is an older copy of the one that did: what it lacks
may have ended sessions. Only whoever has our key can seal one, and only a log that is read to its end can be judged:
an index that is merely behind has to catch up first.

A log that may be an older copy goes on far behind its last position (`state/sqlite/table.py`,
`state/redis/scripts.py`), so that none is given twice. What lies between is a gap: its positions belong to nobody,
unless they were lost.
"""

from __future__ import annotations

from collections.abc import Sequence

Gap = tuple[int, int]
"""The last position before it, and the first one behind it."""


def lacks(position: int, end: int, gaps: Sequence[Gap] = ()) -> bool:
    """Whether a log that ends at ``end`` and has these gaps has never given this position."""
    if position > end:
        return True
    return bool(gaps) and any(
        before < position < behind for before, behind in gaps
    )  # mostly none, on each request
