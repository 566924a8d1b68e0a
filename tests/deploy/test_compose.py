"""The Compose file: a configuration that the gateway accepts, and an application that nobody else reaches."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config import Settings, examine
from gateway.core import dice
from gateway.settings.state_urls import SqliteUrl
from gateway.settings.units import parse_duration
from tests.deploy.manifests import WORST_CASE
from tests.fakes.certificates import Authority
from tests.fakes.pieces import put

ROOT = Path(__file__).parents[2]
FILE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
GATEWAY = FILE["services"]["gateway"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """What it would start with, the mounted places being elsewhere."""
    Authority.make(tmp_path).server("app.example.com")
    pair = (tmp_path / "authority.app.example.com.pem").read_text()
    contents = {
        "session-key": base64.b64encode(dice.key()).decode(),
        **dict.fromkeys(("client-secret", "redis-password"), "c8cJw1mHnGq5Zk3vXr0Tb7Ly"),
        **dict.fromkeys(("fullchain.pem", "privkey.pem"), pair),
    }
    assert set(contents) == set(FILE["secrets"]) == set(GATEWAY["secrets"])
    for name, content in contents.items():
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text(content)
    places = {"/run/secrets": str(tmp_path), "/var/lib/gateway": str(tmp_path)}
    path = tmp_path / "gateway.yaml"
    path.write_text(put(FILE["configs"]["gateway"]["content"], places))
    examination = examine(path, {})
    assert examination.settings is not None, [str(finding) for finding in examination.findings]
    return examination.settings


def test_the_gateway_accepts_its_configuration_and_is_served_where_it_listens(settings: Settings) -> None:
    """The published port, the health check, the mounts and the time to stop are those of the configuration."""
    assert GATEWAY["ports"] == [f"443:{settings.listen.port}"]
    assert f"http://127.0.0.1:{settings.probes.listen.port}/readyz" in GATEWAY["healthcheck"]["test"][-1]
    assert GATEWAY["configs"] == [{"source": "gateway", "target": "/etc/gateway/gateway.yaml"}]
    assert '"--config", "/etc/gateway/gateway.yaml"' in (ROOT / "deploy" / "Dockerfile").read_text()
    assert GATEWAY["volumes"] == ["spool:/var/lib/gateway"]
    stops = parse_duration(GATEWAY["stop_grace_period"])
    assert stops > settings.timeouts.drain_accept + settings.timeouts.drain
    assert int(GATEWAY["mem_limit"].removesuffix("m")) * 1024 * 1024 >= 2 * WORST_CASE


def test_nobody_but_the_gateway_is_reached_from_outside(settings: Settings) -> None:
    """The others publish nothing and are on a network that leads nowhere."""
    others = {name: service for name, service in FILE["services"].items() if name != "gateway"}
    assert set(others) == {"application", "redis"}
    for service in others.values():
        assert "ports" not in service
        assert [FILE["networks"][name] for name in service["networks"]] == [{"internal": True}]
    assert GATEWAY["read_only"] is True
    assert GATEWAY["cap_drop"] == ["ALL"]
    (upstream,) = settings.upstreams
    assert str(upstream.url) == "http://application:3000"


def test_redis_keeps_what_it_has_taken(settings: Settings) -> None:
    """As docs/redis.md wants it: on a volume, and nothing is dropped for want of memory."""
    assert not isinstance(settings.state, SqliteUrl)
    redis = FILE["services"]["redis"]
    (command,) = redis["command"][2:]
    assert "--appendonly yes --maxmemory-policy noeviction --requirepass" in command
    assert redis["volumes"] == ["redis:/data"]
    assert set(redis["secrets"]) <= set(FILE["secrets"])
