"""The configuration: the same findings as ``gateway check``, as observations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.config import Finding, Severity
from gateway.doctor.verdict import Observation, Verdict, ok

NAME = "configuration"
_VERDICTS = {Severity.ERROR: Verdict.FAILED, Severity.WARNING: Verdict.WARNING, Severity.NOTE: Verdict.OK}


def observed(file: str, findings: Sequence[Finding]) -> Iterator[Observation]:
    """Each finding at its place; one line that all is well where there is none."""
    if not findings:
        yield ok(file, "every key can be used")
    for finding in findings:
        place = str(finding.place) if not finding.key else f"{finding.place} {finding.key}"
        yield Observation(place, _VERDICTS[finding.severity], finding.what, finding.fix)
