"""After the answer: one access line and the counts of it; for what was no request a count, and a line now and then."""

from __future__ import annotations

import sys
from itertools import count

from gateway.core import dice
from gateway.core.http.facts import RequestFacts
from gateway.telemetry.log import AccessLines, get_logger, parameter_names
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.seldom import Seldom
from gateway.web.messages import CompleteResponse, Request

_log = get_logger("door")
_OUTCOMES = {1: "1xx", 2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"}


class AccessLog:
    """Keeps the books on answered requests.

    :param access: whether to write access lines (``log.access``).
    """

    def __init__(self, metrics: Metrics, *, access: bool) -> None:
        self._metrics = metrics
        self._log = AccessLines(sys.stdout) if access else None
        self._run = dice.token(4)
        self._numbers = count(1)
        self._seldom = Seldom()

    def note(
        self, request: Request, facts: RequestFacts | None, response: CompleteResponse, seconds: float
    ) -> None:
        """One answered request; the gate has left its route and session id with it."""
        route = request.route
        self._metrics.requests_total[route, _OUTCOMES.get(response.status // 100, "none")].inc()
        self._metrics.request_duration_seconds[route].observe(seconds)
        if self._log is None:
            return
        try:
            self._log.access(
                method=request.method,
                path=facts.raw_path if facts else "-",
                parameters=parameter_names(facts.query or "") if facts else (),
                status=response.status,
                seconds=seconds,
                sent=response.size,
                sid=request.sid,
                request_id=f"{self._run}-{next(self._numbers)}",
            )
        except OSError as error:
            self._lost(error)

    def unreadable(self, client: str, code: str) -> None:
        """What came from ``client`` is no request. Nothing of it is told, and nobody can fill the log.

        :param code: of the error that says why.
        """
        self._metrics.unreadable_requests_total[code].inc()
        if times := self._seldom.due(code):
            _log.warning("unreadable_request", reason=code, client=client, times=times)

    def flush(self) -> None:
        """Write the access lines that wait."""
        if self._log is None:
            return
        try:
            self._log.flush()
        except OSError as error:
            self._lost(error)

    def _lost(self, error: OSError) -> None:
        """A full disk or a closed pipe is no reason to serve nobody; what could not be written is lost."""
        if times := self._seldom.due("access_log_failed"):
            _log.error("access_log_failed", why=error.strerror, times=times)
