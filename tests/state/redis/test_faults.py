"""Every trouble with Redis has its words; what waiting cannot fix has a code."""

from __future__ import annotations

import ssl

import pytest

from gateway.core.errors import ConfigurationError
from gateway.state.redis.faults import (
    CommandRefusedError,
    Fault,
    GarbledError,
    LostError,
    UnvouchedError,
    fault_of,
)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("NOAUTH Authentication required.", "state_refused", "asks for a password"),
        ("WRONGPASS invalid username-password pair or user is disabled.", "state_refused", "refuses"),
        ("ERR AUTH <password> called without any password configured", "state_refused", "refuses"),
        ("NOPERM this user has no permissions to run the 'wait' command", "state_refused", "lacks a right"),
        ("ERR The user executing the script can't run this command", "state_refused", "lacks a right"),
        (
            "ERR ACL failure in script: User a has no permissions to run the 'set' command",
            "state_refused",
            "lacks a right",
        ),
        ("WRONGTYPE Operation against a key holding the wrong kind", "state_foreign", "another program's"),
        ("FORMAT 2", "state_too_new", "format"),
        ("ERR DB index is out of range", "state_refused", "no such database"),
        ("ERR unknown command 'XADD'", "state_too_old", "lacks a command"),
        ("OOM command not allowed when used memory > 'maxmemory'.", "", "out of memory"),
        ("ERR Error running script: @user_script: 12: -OOM command not allowed", "", "out of memory"),
        ("MISCONF Redis is configured to save RDB snapshots", "", "disk"),
        ("READONLY You can't write against a read only replica.", "", "a replica"),
        ("NOTPRIMARY this server is a replica", "", "a replica"),
        ("LOADING Redis is loading the dataset in memory", "", "still loading"),
        ("MOVED 3999 127.0.0.1:6381", "", "another node"),
        ("ERR something new", "", "something new"),
    ],
)
def test_refusals_are_explained(text: str, code: str, words: str) -> None:
    """By the code, by the wording where there is none, and inside the errors of Redis 6's scripts."""
    fault = fault_of(CommandRefusedError(text))

    assert fault.code == code
    assert words in str(fault)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "does not answer in time"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (LostError("redis:6379 closed the connection"), "closed the connection"),
        (GarbledError("not the protocol of Redis"), "not the protocol"),
        (UnvouchedError(), "append-only file"),
        (ConfigurationError("x", "detail", fix="fix"), "detail; fix"),
        (ZeroDivisionError(), "ZeroDivisionError"),
    ],
)
def test_trouble_with_the_connection_is_explained(error: Exception, words: str) -> None:
    """In one line for /readyz."""
    assert words in str(fault_of(error))
    assert "\n" not in str(fault_of(error))


def test_an_unknown_authority_is_no_passing_trouble() -> None:
    """The certificate is not going to be another one."""
    error = ssl.SSLCertVerificationError("self-signed certificate")
    error.verify_message = "self-signed certificate"

    assert fault_of(error).code == "state_refused"
    assert "redis.ca_file" in str(fault_of(error))


def test_a_fault_without_a_fix_is_its_cause_alone() -> None:
    """No dangling semicolon."""
    assert str(Fault("Redis is still loading its data")) == "Redis is still loading its data"
