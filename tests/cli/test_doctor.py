"""``gateway doctor``: 0 nothing failed, 1 findings, 2 usage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from gateway.cli import doctor
from gateway.core import dice
from gateway.core.session.key_file import format_key

Run = Callable[..., Result]


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command line in an empty directory."""
    app = typer.Typer()
    doctor.register(app)
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, words)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose provider nobody can reach, and an application in files."""
    (tmp_path / "session-key").touch(mode=0o600)
    (tmp_path / "session-key").write_text(format_key(dice.key()))
    (tmp_path / "spa").mkdir()
    (tmp_path / "spa" / "index.html").write_text("<title>An application</title>")
    (tmp_path / "gateway.yaml").write_text(
        "public_url: http://app.localhost:8080\n"
        "upstreams: [{path: /, url: file:spa}]\n"
        "provider: {kind: cognito, issuer: http://issuer.localhost:9/pool, domain: http://login.localhost:9,"
        " client_id: gateway, client_secret: a-secret-of-the-client}\n"
        "session: {key_files: [session-key]}\n"
        f"state: sqlite://{tmp_path}/state.db\n"
    )
    return tmp_path / "gateway.yaml"


def test_something_that_failed_is_status_1(gateway: Run, config: Path) -> None:
    """The list has every check with its verdict, what to register, and the sum; the secret is not in it."""
    result = gateway()
    assert result.exit_code == 1, result.output
    assert "FAILED  http://issuer.localhost:9/pool/.well-known/openid-configuration" in result.output
    assert "http://app.localhost:8080/logout/done/cognito" in result.output
    assert "gateway.yaml: 1 failed" in result.output.splitlines()[-1]
    assert "a-secret-of-the-client" not in result.output


def test_json_is_one_object(gateway: Run, config: Path) -> None:
    """For programs, with the same status."""
    result = gateway("-c", str(config), "--json")
    assert result.exit_code == 1
    data = json.loads(result.output)
    verdicts = {each["check"]: each["verdict"] for each in data["checks"]}
    assert (verdicts["discovery"], verdicts["state-file"], verdicts["upstreams"]) == ("failed", "ok", "ok")
    assert data["live"] is False


def test_the_walk_goes_where_it_is_told(gateway: Run, config: Path) -> None:
    """Through the proxy at that address, which this configuration lets ask nothing; without it there is no walk."""
    data = json.loads(gateway("--json", "--forward-auth", "http://127.0.0.1:1/").output)
    (walked,) = [each for each in data["checks"] if each["check"] == "forward-auth-walk"]
    assert (walked["verdict"], walked["looked_at"]) == ("failed", "http://127.0.0.1:1")
    assert "forward-auth-walk" not in gateway("--json").output


def test_register_prints_only_that(gateway: Run, config: Path) -> None:
    """Nothing is asked, so nothing fails."""
    result = gateway("--register")
    assert result.exit_code == 0
    assert "      http://app.localhost:8080/oauth2/callback" in result.output.splitlines()
    assert "discovery" not in result.output
    data = json.loads(gateway("--register", "--json").output)
    assert data[0]["field"] == "Allowed callback URLs"


def test_a_configuration_that_cannot_be_used_is_status_1(gateway: Run, config: Path) -> None:
    """With its findings; --register names the command that has them."""
    config.write_text("listn: x\n")
    result = gateway()
    assert result.exit_code == 1
    assert "configuration" in result.output
    asked = gateway("--register")
    assert asked.exit_code == 1
    assert "gateway check" in asked.output


@pytest.mark.parametrize(
    "words",
    [
        ["-c", "missing.yaml"],
        ["--what"],
    ],
)
def test_wrong_usage_is_status_2(gateway: Run, config: Path, words: list[str]) -> None:
    """A file that is missing, an address that is none, an unknown option."""
    assert gateway(*words).exit_code == 2


@pytest.mark.parametrize(
    ("option", "url", "why"),
    [
        (
            "--forward-auth",
            "app.example.com",
            "is not an http or https URL; write it as https://app.example.com",
        ),
        ("--forward-auth", "https://[app", "cannot be read; write it as https://app.example.com"),
        ("--forward-auth", "https://me:secret@app.example.com", "leave them out"),
        ("--forward-auth", "https://app.example.com/a", "more than scheme, host and port; leave out path"),
        (
            "--saml-metadata",
            "file:///etc/passwd",
            "is not an http or https URL; write it as https://idp.example.com/saml/metadata",
        ),
    ],
)
def test_an_address_that_is_none_is_answered_with_one_that_is(
    gateway: Run, config: Path, option: str, url: str, why: str
) -> None:
    """With the option it was given to, and without a password that may be in it."""
    result = gateway(option, url)
    assert result.exit_code == 2
    said = " ".join(result.output.replace("│", " ").split())
    assert option in said
    assert why in said
    assert "secret" not in said
