"""Keys that are known and refused."""

from __future__ import annotations

import pytest

from gateway.config.fields import keys
from gateway.config.not_yet import NOT_YET, remark_on

ASKING = {
    "forward_auth.caller": "traefik",
}


def test_every_entry_has_its_case_here():
    """A feature that arrives takes its entry and its case away together."""
    assert list(ASKING) == [entry.key for entry in NOT_YET]


@pytest.mark.parametrize("entry", NOT_YET, ids=[entry.key for entry in NOT_YET])
def test_what_is_not_there_yet_is_refused_with_one_finding(examined, entry):
    """It says what, that it is not available, and what to do; nothing else is said about the same key."""
    key, value = entry.key.removesuffix("[]"), ASKING[entry.key]
    examination = examined({key: [value] if entry.key.endswith("[]") else value})

    said = [finding for finding in examination.findings if finding.failing and finding.key.startswith(key)]
    assert [f"{entry.feature} is not yet available in this version"] == [finding.what for finding in said]
    assert said[0].fix
    assert examination.settings is None


def test_off_is_no_request(examined):
    """Writing a switch as false, or a list as empty, asks for nothing."""
    changes = {
        "inbound": {"backchannel": "false"},
        "headers.authorization": "false",
    }

    assert examined(changes).settings is not None


def test_every_entry_names_a_key():
    """A renamed key would otherwise slip through."""
    known = {key.dotted for key in keys()}

    for entry in NOT_YET:
        key = entry.key.removesuffix("[]")
        assert any(name == key or name.startswith(f"{key}.") for name in known), entry.key


def test_the_documentation_remarks_on_them():
    """The whole key, a section's keys, or the values."""
    assert remark_on("forward_auth.caller").startswith("Not yet available: `traefik`")
    assert remark_on("session.idle") == ""
