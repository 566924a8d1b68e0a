"""``gateway check``, ``gateway schema``, ``gateway keys``: before anything runs."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.ending import CONFIG, FINDINGS, GOOD, Config, stop
from gateway.config import Finding, Severity, examine
from gateway.config.schema import schema as json_schema
from gateway.core import dice
from gateway.core.session.key_file import format_key, parse_key


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(check)
    app.command()(schema)
    keys = typer.Typer(help="Keys for session cookies, receipts and assertions.", no_args_is_help=True)
    keys.command()(new)
    keys.command()(receipt)
    keys.command()(assertion)
    app.add_typer(keys, name="keys")


def check(config: Config = CONFIG) -> None:
    """Say everything that is wrong with a configuration, each with its place and fix: 0 good, 1 findings, 2 usage."""
    examination = examine(config, os.environ)
    for finding in examination.findings:
        typer.echo(str(finding))
    typer.echo(f"{config}: {_summary(examination.findings)}")
    raise typer.Exit(FINDINGS if examination.settings is None else GOOD)


def schema() -> None:
    """Print the JSON schema of the configuration file, for editors."""
    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Create FILE, readable by its owner only, and never overwrite one.",
    ),
]


def new(output: Output = None) -> None:
    """Make a session key: 32 random bytes on one line."""
    _hand_out(f"{_drawn()}\n", output, lost="its sessions", use="list it in session.key_files")


def receipt(output: Output = None) -> None:
    """Make a key that signs the receipts of sign-outs: a private key for P-256 in PEM."""
    # Late, so that the other commands need not load what it takes.
    from gateway.oidc.signout.signed_receipt import ReceiptKey

    key = ReceiptKey.new()
    use = f"name it in logout.receipt_key_file; its id in receipts is {key.public.kid}"
    _hand_out(key.pem, output, lost="the receipts it signed", use=use)


def assertion(output: Output = None) -> None:
    """Make a key that signs assertions to upstreams: a private key for P-256 in PEM."""
    from gateway.oidc.jose.signing_key import SigningKey

    key = SigningKey.new()
    use = f"list it in headers.assertion_key_files; its id is {key.public.kid}"
    _hand_out(key.pem, output, lost="the trust in what it signed", use=use)


def _hand_out(text: str, output: Path | None, *, lost: str, use: str) -> None:
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        created = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        stop(f"{output}: exists already; name another file, {lost} would be lost")
    except OSError as error:
        stop(f"{output}: cannot be created ({error.strerror}); name a file in a directory that is yours")
    with os.fdopen(created, "w", encoding="ascii") as file:
        file.write(text)
    typer.echo(f"{output}: a new key; {use}")


def _drawn() -> str:
    """A key that the gateway accepts; the checks refuse fewer than one drawn key in a million."""
    while True:
        line = format_key(dice.key())
        try:
            parse_key(line)
        except ValueError:
            continue
        return line


def _summary(findings: Sequence[Finding]) -> str:
    count = Counter(finding.severity for finding in findings)
    words = {Severity.ERROR: "finding", Severity.WARNING: "warning", Severity.NOTE: "note"}
    parts = [
        f"{count[severity]} {word}{'s' if count[severity] > 1 else ''}"
        for severity, word in words.items()
        if count[severity]
    ]
    if not count[Severity.ERROR]:
        parts.insert(0, "good")
    return ", ".join(parts)
