"""The second pass: sections read key by key."""

from __future__ import annotations

from pathlib import Path

from gateway.config.fields import Reading, keys
from gateway.config.findings import Places
from gateway.settings.model import Settings
from gateway.settings.sections import TimeoutsSection

BASE = Path("/etc/gateway")


def test_a_bad_key_leaves_the_rest_of_its_section_usable():
    """What is sound has its value, what is not is known to be broken."""
    reading = Reading(Places("g.yaml"), BASE)

    timeouts = reading.build(TimeoutsSection, {"connect": "soon", "idle": "5s"}, ("timeouts",))

    assert timeouts.idle == 5
    assert timeouts.first_byte == 60
    assert not reading.usable(("timeouts", "connect"))
    assert not reading.usable(("timeouts",))
    assert reading.usable(("timeouts", "idle"))


def test_what_was_written_is_known():
    """Rules tell a default from a choice."""
    reading = Reading(Places("g.yaml"), BASE)

    timeouts = reading.build(TimeoutsSection, {"idle": "60s"}, ("timeouts",))

    assert timeouts.idle == timeouts.first_byte
    assert reading.given == {("timeouts", "idle")}


def test_relative_paths_count_from_the_configuration_file():
    """Not from wherever the gateway was started."""
    reading = Reading(Places("g.yaml"), BASE)

    settings = reading.build(Settings, {"session": {"key_files": ["key"]}, "policies": "policies"})

    assert settings.session.key_files == (BASE / "key",)
    assert settings.policies == "/etc/gateway/policies"


def test_every_key_has_a_sentence_that_ends():
    """The documentation, the schema and the reference file all show it."""
    for key in keys():
        assert key.description
        assert key.description.endswith("."), key.dotted
