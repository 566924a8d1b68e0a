"""``gateway audit verify``: whether a log's signed receipts are whole, and say what the lines around them say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from gateway.cli.ending import FINDINGS, GOOD, USAGE, stop
from gateway.core.errors import ConfigurationError, ProviderError
from gateway.settings.secret_files import read_text

if TYPE_CHECKING:
    from gateway.oidc.jose.jwks import KeySet, VerificationKey

app = typer.Typer(help="The audit trail: lines with signed receipts.", no_args_is_help=True)


@app.callback()
def _audit() -> None:
    """The audit trail: lines with signed receipts."""


@app.command()
def verify(
    log: Annotated[str, typer.Argument(metavar="LOGFILE", help="The log, JSON lines; - for standard input.")],
    key: Annotated[
        list[Path] | None,
        typer.Option(
            "--key", metavar="FILE", help="A public key in PEM, or the private one; may be repeated."
        ),
    ] = None,
    jwks: Annotated[
        list[Path] | None,
        typer.Option(
            "--jwks", metavar="FILE", help="A key set, as /oauth2/receipt-keys has it; may be repeated."
        ),
    ] = None,
) -> None:
    """Verify the receipts of sign-outs in a log: 0 all good, 1 findings, 2 they cannot be verified."""
    # Late, so that the other commands need not load what verifies signatures.
    from gateway.telemetry.receipt_log import ReceiptLog, lines_of, printable_finding

    keys = _keys(key or [], jwks or [])
    name = "standard input" if log == "-" else log
    found = 0
    book = ReceiptLog(keys)
    try:
        with _opened(log) as stream:
            for finding in book.examine(lines_of(stream)):
                found += not finding.note
                typer.echo(printable_finding(finding, name))
    except OSError as error:
        stop(f"{name}: cannot be read ({error.strerror})", USAGE)
    unread = f", {book.unread} lines not read" if book.unread else ""
    typer.echo(
        f"{name}: {book.receipts} good receipts of {book.sign_outs} sign-outs in {book.lines} lines{unread}, "
        f"{found} finding{'' if found == 1 else 's'}"
    )
    raise typer.Exit(FINDINGS if found else GOOD)


def _keys(pems: list[Path], sets: list[Path]) -> KeySet:
    from gateway.oidc.jose.jwks import KeySet
    from gateway.oidc.signout.signed_receipt import keys_from_jwks, keys_from_pem

    if not pems and not sets:
        stop("name the key that signed the receipts: --key FILE or --jwks FILE", USAGE)
    readers = [*((file, keys_from_pem) for file in pems), *((file, keys_from_jwks) for file in sets)]
    keys: list[VerificationKey] = []
    for file, read in readers:
        try:
            keys += read(read_text(file)).keys
        except ConfigurationError as error:
            stop(f"{error.detail}; {error.fix}", USAGE)
        except ValueError as reason:
            stop(f"{file}: the key {reason}", USAGE)
        except ProviderError as error:
            stop(f"{file}: {error.detail}", USAGE)
    return KeySet(tuple(keys))


def _opened(log: str) -> BinaryIO:
    return sys.stdin.buffer if log == "-" else Path(log).open("rb")
