"""The findings of the configuration, as observations."""

from __future__ import annotations

from gateway.config import Finding, Severity
from gateway.config.findings import Place
from gateway.doctor.findings import observed
from gateway.doctor.verdict import Verdict

PLACE = Place("gateway.yaml", 3, 5)


def test_each_severity_has_its_verdict() -> None:
    """A note is no finding; place and key are what was looked at."""
    given = [Finding(PLACE, "state", "is so", "do that", severity) for severity in Severity]
    seen = list(observed("gateway.yaml", given))
    assert [each.verdict for each in seen] == [Verdict.FAILED, Verdict.WARNING, Verdict.OK]
    assert seen[0].looked_at == "gateway.yaml:3:5 state"
    assert (seen[0].what, seen[0].fix) == ("is so", "do that")


def test_a_configuration_without_findings_is_said_to_be_good() -> None:
    """Silence would be no answer."""
    (seen,) = observed("gateway.yaml", [])
    assert (seen.verdict, seen.looked_at) == (Verdict.OK, "gateway.yaml")
