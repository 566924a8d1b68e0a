"""Where the log is: names of keys, the cluster's slot, TLS, and what is never printed."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from gateway.core.errors import ConfigurationError
from gateway.state.redis.place import RedisPlace, host_port
from tests.fakes.certificates import Authority

HOSTS = (("redis-1", 6379), ("fd00::1", 6380))


def test_all_keys_are_in_one_slot_of_a_cluster() -> None:
    """What stands in braces decides, and the slot is the specification's CRC16 of it."""
    place = RedisPlace(HOSTS, prefix="123456789")

    assert (place.meta_key, place.log_key) == ("{123456789}:meta", "{123456789}:log")
    assert place.slot == 0x31C3


def test_it_prints_without_the_password() -> None:
    """In logs and tracebacks alike."""
    place = RedisPlace(HOSTS, "sentinel", "mymaster", username="gateway", password="hunter2")

    assert str(place) == "redis-1:6379,[fd00::1]:6380 (sentinel mymaster)"
    assert "hunter2" not in repr(place)
    assert host_port(("::1", 1)) == "[::1]:1"


def test_tls_verifies_and_trusts_the_given_authority_alone(tmp_path: Path) -> None:
    """Instead of the system's; none where TLS is not asked for."""
    authority = Authority.make(tmp_path)
    context = RedisPlace(HOSTS, tls=True, ca_file=authority.file).tls_context()

    assert context is not None
    assert len(context.get_ca_certs()) == 1
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert RedisPlace(HOSTS).tls_context() is None


def test_a_certificate_that_cannot_be_used_is_a_finding(tmp_path: Path) -> None:
    """With its fix, before anything is connected."""
    (tmp_path / "bad.pem").write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    with pytest.raises(ConfigurationError) as caught:
        RedisPlace(HOSTS, tls=True, ca_file=tmp_path / "bad.pem").tls_context()

    assert caught.value.code == "bad_certificate"
    assert "PEM" in caught.value.fix


def test_the_latest_password_and_the_one_before_are_known() -> None:
    """The same one again changes nothing; none of them is shown."""
    place = RedisPlace(HOSTS, password="first-one")
    seen = [place.login.passwords]
    for password in ("second-one", "second-one", "third-one"):
        place.login.replace(password)
        seen.append(place.login.passwords)
    second = ("second-one", "first-one")
    assert seen == [("first-one",), second, second, ("third-one", "second-one")]
    assert "-one" not in repr(place) + str(place) + repr(place.login)
