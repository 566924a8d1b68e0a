"""``gateway audit verify``."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path

import pytest
import structlog
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from typer.testing import CliRunner, Result

from gateway.cli.main import app
from gateway.core import clock
from gateway.core.signout import chain as chains
from gateway.core.signout.chain import ChainLimits
from gateway.oidc.signout.signed_receipt import ReceiptKey
from gateway.telemetry.audit import AuditTrail
from gateway.telemetry.log import configure
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.receipts import ReceiptBook
from gateway.web.signout.session_events import SessionEvents

KEY = ReceiptKey.new()


def run(*words: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["audit", "verify", *words], input=stdin)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """One sign-out, with the files that its key can be in."""
    text = io.StringIO()
    configure(stream=text)
    events = SessionEvents(
        AuditTrail(), Metrics(), ReceiptBook("https://app.example.com", "https://idp", KEY)
    )
    step = chains.begin([], ChainLimits(30, 120), now=clock.now(), nonce="n")
    events.logout_started(step.chain, "post")
    events.logout_finished(step.chain)
    structlog.reset_defaults()
    (tmp_path / "gateway.log").write_text(text.getvalue())
    (tmp_path / "private.pem").write_text(KEY.pem)
    public = KEY.public.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "public.pem").write_bytes(public)
    (tmp_path / "jwks.json").write_text(json.dumps(KEY.jwks))
    (tmp_path / "other.pem").write_text(ReceiptKey.new().pem)
    return tmp_path / "gateway.log"


@pytest.mark.parametrize(
    "keys",
    [
        ("--key", "public.pem"),
        ("--key", "private.pem"),
        ("--jwks", "jwks.json"),
        ("--key", "other.pem", "--jwks", "jwks.json"),
    ],
)
def test_a_good_log_is_status_0(log: Path, monkeypatch: pytest.MonkeyPatch, keys: tuple[str, ...]) -> None:
    """With any form of the key, and with former ones beside it."""
    monkeypatch.chdir(log.parent)
    result = run(*keys, "gateway.log")
    assert result.exit_code == 0, result.output
    assert result.output == "gateway.log: 2 good receipts of 1 sign-outs in 2 lines, 0 findings\n"


def test_a_log_comes_on_standard_input_too(log: Path) -> None:
    """As from ``kubectl logs``."""
    result = run("--key", str(log.parent / "public.pem"), "-", stdin=log.read_bytes())
    assert result.exit_code == 0
    assert result.output.startswith("standard input: 2 good receipts")


def test_a_finding_is_status_1_with_its_line(log: Path) -> None:
    """And what is wrong there."""
    log.write_text(log.read_text().replace('"reason": "post"', '"reason": "get"'))
    result = run("--key", str(log.parent / "public.pem"), str(log))
    assert result.exit_code == 1
    assert f"{log}:1: the line was changed: it differs from its receipt in reason" in result.output
    assert result.output.splitlines()[-1].endswith("1 finding")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("gateway.log",), "name the key that signed the receipts: --key FILE or --jwks FILE"),
        (("--key", "none.pem", "gateway.log"), "does not exist"),
        (("--key", "gateway.log", "gateway.log"), "the key is not a public or private key in PEM"),
        (("--jwks", "public.pem", "gateway.log"), "not well-formed JSON"),
        (("--key", "public.pem", "none.log"), "none.log: cannot be read"),
        (("--key", "public.pem", "."), "cannot be read"),
    ],
)
def test_what_cannot_be_verified_is_status_2(
    log: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    """No key, no log, or files that are none: never "good"."""
    monkeypatch.chdir(log.parent)
    result = run(*words)
    assert result.exit_code == 2
    assert said in result.output


def test_a_receipt_key_is_made_and_used(log: Path) -> None:
    """``gateway keys receipt`` makes one that signs; the file is its owner's alone, the key not on the screen."""
    file = log.parent / "new.pem"
    result = CliRunner().invoke(app, ["keys", "receipt", "-o", str(file)])
    key = ReceiptKey.parse(file.read_text())
    assert result.exit_code == 0
    assert f"its id in receipts is {key.public.kid}" in result.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "PRIVATE KEY" not in result.output
    printed = CliRunner().invoke(app, ["keys", "receipt"])
    assert ReceiptKey.parse(printed.output).public.kid != key.public.kid
