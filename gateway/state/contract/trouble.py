"""Something that lasts: a line in the log of the process when it begins, and one when it is over."""

from __future__ import annotations

import logging

from gateway.telemetry.log import get_logger

_log = get_logger("state")


class Trouble:
    """See the module.

    :param begins, ends: names of the two lines. :param level: of the first. :param where: told beside the reason.
    :ivar why: what is the matter; empty where nothing is.
    """

    def __init__(self, begins: str, ends: str, *, level: int = logging.ERROR, **where: str) -> None:
        self.why = ""
        self._begins, self._ends = begins, ends
        self._level = level
        self._where = where

    def tell(self, why: str) -> None:
        """Such is the trouble now; empty: there is none."""
        if bool(why) != bool(self.why):
            _log.log(
                self._level if why else logging.INFO,
                self._begins if why else self._ends,
                **self._where,
                why=why,
            )
        self.why = why
