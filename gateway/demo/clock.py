"""The clock of the emulators, the only place that reads one."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> int:
    """Return UTC seconds since 1970."""
    return int(time.time())


def moment(seconds: int) -> datetime:
    """Return *seconds* (UTC, since 1970) as an aware datetime, as certificates want it."""
    return datetime.fromtimestamp(seconds, tz=UTC)


def instant(seconds: int) -> str:
    """Return *seconds* as an XML dateTime in UTC, the only form SAML allows (SAML core 1.3.3)."""
    return moment(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")
