"""What keys say of the listener on which Envoy asks over gRPC."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.config import grpc_rules
from gateway.config.findings import Severity
from tests.fakes.certificates import Authority

TRUSTED = {"trusted_proxies": ["10.0.0.0/8"]}


def asked(grpc: dict[str, Any], caller: str = "envoy") -> dict[str, Any]:
    return {**TRUSTED, "forward_auth": {"caller": caller, "grpc": grpc}}


def found(examined: Any, changes: dict[str, Any]) -> dict[str, Severity]:
    return {
        each.key: each.severity for each in examined(changes).findings if each.key.startswith("forward_auth")
    }


def test_beside_envoy_nothing_is_missing_and_an_idle_deadline_works(examined) -> None:
    """The cookies of a pass reach the browser over gRPC, so `session.idle` may be shorter than `session.absolute`."""
    assert found(examined, asked({})) == {}
    assert found(examined, {**TRUSTED, "forward_auth": {"caller": "envoy"}}) == {
        "forward_auth": Severity.ERROR
    }


def test_it_is_envoys_protocol(examined) -> None:
    """With another caller alone nobody would ask there."""
    assert found(examined, asked({}, "caddy"))["forward_auth.grpc"] is Severity.ERROR


def test_without_the_extra_the_fix_is_named(examined, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is started."""
    monkeypatch.setattr(grpc_rules, "find_spec", lambda _: None)
    (finding,) = (each for each in examined(asked({})).findings if each.key == "forward_auth.grpc")
    assert "h2 and google.protobuf" in finding.what
    assert "requirements/grpc.txt" in finding.fix


def test_tls_needs_both_files_and_a_client_needs_tls(tmp_path: Path, examined) -> None:
    """Plain is for loopback; elsewhere it is said."""
    authority = Authority.make(tmp_path)
    authority.server("gateway.test")
    pem, ca = str(tmp_path / "authority.gateway.test.pem"), str(authority.file)
    whole = {"cert_file": pem, "key_file": pem, "client_ca_file": ca, "listen": "0.0.0.0:9092"}
    assert not {key for key, severity in found(examined, asked(whole)).items() if severity is Severity.ERROR}
    at = "forward_auth.grpc"
    assert found(examined, asked({"cert_file": pem}))[f"{at}.cert_file"] is Severity.ERROR
    assert found(examined, asked({"key_file": pem}))[f"{at}.key_file"] is Severity.ERROR
    assert found(examined, asked({"client_ca_file": ca}))[f"{at}.client_ca_file"] is Severity.ERROR
    assert found(examined, asked({"listen": "0.0.0.0:9092"}))[f"{at}.listen"] is Severity.WARNING
    gone = {**whole, "client_ca_file": str(tmp_path / "gone.pem")}
    assert found(examined, asked(gone))[f"{at}.client_ca_file"] is Severity.ERROR
    assert found(examined, asked({**whole, "cert_file": ca}))
