"""What each part takes of the configuration."""

from __future__ import annotations

from pathlib import Path

from gateway.config import load
from gateway.core.session import SessionLimits
from gateway.demo import configuration
from gateway.demo.options import DemoOptions
from gateway.options import claim_options, door_rules, gate_rules, identity_options, logout_options, routes


def test_every_part_takes_what_the_operator_wrote(tmp_path: Path) -> None:
    """From the file to the values that decide; nothing is made up on the way."""
    path = configuration.write(tmp_path, DemoOptions(), api="127.0.0.1:1")
    text = path.read_text()
    path.write_text(
        f"{text}\nhosts: [Other.example]\nallowed_origins: [https://a.example]\nmax_staleness: 7s\n"
    )
    settings = load(path, {})

    assert door_rules(settings, ("third.example",)).authorities == {
        "app.localhost:8080", "other.example", "third.example",
    }  # fmt: skip
    rules = gate_rules(settings, SessionLimits(idle=1, absolute=2))
    assert rules.origins == {"http://app.localhost:8080", "https://a.example"}
    assert rules.max_staleness == 7
    assert [route.path for route in routes(settings)] == ["/api/", "/"]
    assert [hop.name for hop in logout_options(settings).hops] == ["cognito", "okta_signout"]
    assert claim_options(settings).user == settings.headers.user
    assert identity_options(settings).authorization is False
