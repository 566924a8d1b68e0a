"""What is said about the log: directories, passwords, TLS, and what is lost without a spool."""

from __future__ import annotations

import pytest

from gateway.config import Severity

REDIS = {"state": "rediss://redis:6379/0"}


@pytest.mark.parametrize(
    ("changes", "key", "what"),
    [
        ({"state": "rediss://gateway@redis"}, "state", "names a user without a password"),
        (
            {"state": "rediss://:a@redis", "redis": {"password": "b"}},
            "redis.password",
            "stands in `state` too",
        ),
        ({"state": "redis://redis", "redis": {"ca_file": "x"}}, "redis.ca_file", "is for TLS"),
        ({**REDIS, "redis": {"cert_file": "x"}}, "redis.cert_file", "needs `redis.key_file` beside it"),
        ({**REDIS, "redis": {"key_file": "x"}}, "redis.key_file", "needs `redis.cert_file` beside it"),
        ({**REDIS, "redis": {"ca_file": "session-key"}}, "redis.ca_file", "holds no certificate in PEM"),
        ({**REDIS, "redis": {"spool": "missing"}}, "redis.spool", "does not exist"),
        ({**REDIS, "redis": {"prefix": "a b"}}, "redis.prefix", "is no prefix for keys"),
        ({**REDIS, "redis": {"password": "a", "password_file": "b"}}, "redis.password_file", "are both set"),
        ({"state": "sqlite:///no/such/directory/state.db"}, "state", "does not exist"),
    ],
)
def test_what_cannot_work_is_refused(found, changes, key, what):
    """One line at the key to fix."""
    assert [line for line in found(changes) if line.startswith(f"{key}:") and what in line]


def test_a_redis_with_everything_is_sound(examined, house):
    """Password from its file, spool in its directory: nothing more to say."""
    (house / "redis-password").write_text("hush-hush\n")
    (house / "redis-password").chmod(0o600)
    (house / "spool").mkdir()
    redis = {"password_file": "redis-password", "spool": "spool", "prefix": "prod"}
    examination = examined({"state": "rediss://gateway@redis:6379/1", "redis": redis})

    assert [finding for finding in examination.findings if finding.key.startswith(("redis", "state"))] == []
    assert examination.settings.redis.password.text == "hush-hush"
    assert examination.settings.redis.spool == house / "spool"
    assert "hush" not in repr(examination.settings)


def test_without_a_spool_it_is_said_what_is_lost(examined):
    """A note: the gateway starts."""
    examination = examined(REDIS)
    (finding,) = [finding for finding in examination.findings if finding.key == "state"]

    assert "kept in memory only" in finding.what
    assert "`redis.spool`" in finding.fix
    assert finding.severity is Severity.NOTE
    assert examination.settings is not None


@pytest.mark.parametrize(("state", "said"), [("redis://redis", True), ("redis://127.0.0.1", False)])
def test_unencrypted_ways_are_said(examined, state, said):
    """Except to this very machine."""
    lines = [finding for finding in examined({"state": state}).findings if "unencrypted" in finding.what]

    assert bool(lines) == said
    assert all(line.severity is Severity.NOTE for line in lines)


def test_keys_for_redis_mean_nothing_beside_a_file(examined):
    """A warning: somebody believes that several hosts share a log."""
    (finding,) = [
        each for each in examined({"redis": {"prefix": "x"}}).findings if each.key == "redis.prefix"
    ]

    assert finding.severity is Severity.WARNING
    assert "means nothing" in finding.what


def test_r04_an_accepted_loss_is_a_warning(examined):
    """Said by every check for as long as it is configured."""
    (finding,) = [each for each in examined({"state_loss": "accept"}).findings if each.key == "state_loss"]

    assert finding.severity is Severity.WARNING
    assert "come alive again" in finding.what
