"""How long a test waits for what must happen."""

from __future__ import annotations

PATIENCE = 60.0
"""Seconds until something that must happen counts as not happening. No test passes or fails by it: it ends a run that
hangs, so it is far above what the thing takes on a machine that is busy with something else. A test that wants to know
how long something takes belongs into ``make bench`` or ``make bench-logout``.
"""

NEVER = 86_400.0
"""Seconds between two beats of something that must not do anything by itself while a test looks at it."""
