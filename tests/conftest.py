"""What all tests share."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests import programs

programs.only("tests")
collect_ignore = ["providers"]  # `make providers` asks for them by name

# A busy machine is no finding: properties are judged by what they find, not by how long one example took.
settings.register_profile("gateway", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gateway")
