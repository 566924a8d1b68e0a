"""``gateway check``, ``gateway schema``, ``gateway keys new``."""

from __future__ import annotations

import json
import stat

import pytest
import typer
from typer.testing import CliRunner

from gateway.cli import config
from gateway.core import dice
from gateway.core.session.key_file import format_key, parse_key
from gateway.oidc.jose.signing_key import SigningKey


@pytest.fixture
def gateway(monkeypatch, tmp_path):
    """Run a command line in an empty directory."""
    app = typer.Typer()
    config.register(app)
    monkeypatch.chdir(tmp_path)
    return lambda *words, **environ: CliRunner().invoke(app, words, env=environ)


@pytest.fixture
def sound(tmp_path):
    """A configuration that is good, in gateway.yaml."""
    (tmp_path / "session-key").write_text(format_key(dice.key()))
    (tmp_path / "session-key").chmod(0o600)
    (tmp_path / "gateway.yaml").write_text(
        "public_url: https://app.example.com\n"
        "upstreams: [{path: /, url: http://127.0.0.1:3000}]\n"
        "provider: {kind: oidc, issuer: https://id.example.com, client_id: gateway}\n"
        "session: {key_files: [session-key]}\n"
        "headers: {groups: groups}\n"
        f"state: sqlite://{tmp_path}/state.db\n"
    )
    return tmp_path / "gateway.yaml"


def test_a_good_configuration_is_status_0(gateway, sound):
    """Warnings and notes are printed and do not fail; the file's name may be left out."""
    sound.write_text(sound.read_text().replace("groups: groups", "user: sub"))
    result = gateway("check")

    assert result.exit_code == 0
    *said, summary = result.output.splitlines()
    for line in (
        "logout.chain: note: sign-out leads to the provider",
        "headers.groups: warning: groups are read from",
        "session.activity: note: every request behind the gate",
        "provider.client_secret: warning: there is none",
        "public_url: note: is https, but there is neither",
    ):
        assert [each for each in said if each.startswith("gateway.yaml:") and f" {line}" in each], said
    assert (len(said), summary) == (5, "gateway.yaml: good, 2 warnings, 3 notes")


def test_findings_are_status_1(gateway, sound):
    """All of them are printed, of the file and of the environment."""
    sound.write_text(sound.read_text().replace("oidc", "odic") + "listn: x\n")

    result = gateway("check", "-c", str(sound), GATEWAY_LISTN="x")

    assert result.exit_code == 1
    assert "provider.kind: is none of its choices" in result.output
    assert f"{sound}:7:1 listn: is not a key; did you mean `listen`?" in result.output
    assert "env GATEWAY_LISTN: names no key; did you mean GATEWAY_LISTEN?" in result.output
    assert result.output.splitlines()[-1].startswith(f"{sound}: 3 findings")


@pytest.mark.parametrize(
    "words", [("check", "-c", "none.yaml"), ("check", "--nonsense"), ("keys", "nonsense")]
)
def test_a_wrong_command_is_status_2(gateway, words):
    """A file that is not there, an option or command that does not exist."""
    assert gateway(*words).exit_code == 2


def test_the_schema_is_printed(gateway):
    """As one JSON document."""
    result = gateway("schema")

    assert result.exit_code == 0
    assert "public_url" in json.loads(result.output)["properties"]


def test_a_new_key_is_printed(gateway):
    """One line that the gateway accepts, another one each time."""
    first, second = gateway("keys", "new"), gateway("keys", "new")

    assert first.exit_code == 0
    assert len(parse_key(first.output)) == 32
    assert first.output != second.output


def test_a_key_for_assertions_is_made(gateway, tmp_path):
    """It can sign, and the line says where it belongs."""
    result = gateway("keys", "assertion", "-o", "assertion.pem")

    assert result.exit_code == 0
    assert "headers.assertion_key_files" in result.output
    assert SigningKey.parse((tmp_path / "assertion.pem").read_text()).public.kid in result.output


def test_a_new_key_file_is_its_owner_s_alone(gateway, tmp_path):
    """Mode 0600 from its first moment, and the key is not on the screen."""
    result = gateway("keys", "new", "-o", "session-key")

    text = (tmp_path / "session-key").read_text()
    assert result.exit_code == 0
    assert len(parse_key(text)) == 32
    assert text.strip() not in result.output
    assert stat.S_IMODE((tmp_path / "session-key").stat().st_mode) == 0o600


@pytest.mark.parametrize("there", ["a file", "a dangling link"])
def test_a_key_file_is_never_overwritten(gateway, tmp_path, there):
    """Every session sealed with it would be lost, or the key land where a link leads."""
    target = tmp_path / "session-key"
    target.write_text("kept") if there == "a file" else target.symlink_to(tmp_path / "elsewhere")

    result = gateway("keys", "new", "-o", "session-key")

    assert result.exit_code == 1
    assert "exists already" in result.output
    assert not (tmp_path / "elsewhere").exists()
    assert there != "a file" or target.read_text() == "kept"


def test_a_key_file_that_cannot_be_made_is_said(gateway):
    """A directory that is not there."""
    result = gateway("keys", "new", "-o", "none/session-key")

    assert result.exit_code == 1
    assert "none/session-key: cannot be created" in result.output
