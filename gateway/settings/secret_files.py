"""Secrets, and reading the files that the configuration names."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from gateway.core.errors import ConfigurationError
from gateway.settings.bad_value import BadValueError

MAX_SECRET = 64 * 1024
"""Bytes. The longest secret in use, an RSA key in PEM, has a twentieth of it."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that shows only where it is asked for by its name."""

    text: str = field(repr=False)


def revealed(secret: Secret | None) -> str | None:
    """The text of a secret, where there is one."""
    return None if secret is None else secret.text


def parse_secret(value: object) -> Secret:
    """A secret that stands in the configuration itself."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise BadValueError(
            "is empty or holds control characters", "write the secret on one line, or use the _file key"
        )
    return Secret(value)


def named(path: Path) -> str:
    """A file as a finding names it.

    Somebody who pasted the secret itself where its file's name belongs must not find it in a log: the last part is
    shown only where it has the look of a file name.
    """
    look = path.name
    shows = len(look) <= 40 and (look.islower() or "." in look or "-" in look) and "=" not in look
    return str(path) if shows else f"the file it names, in {path.parent},"


def read_text(path: Path) -> str:
    """The whole of a small text file.

    :raises ConfigurationError: with the cause and the fix.
    """
    try:
        return read_bytes(path, MAX_SECRET).decode("utf-8")
    except UnicodeDecodeError:
        raise _unreadable(f"{named(path)} is not text", "name the right file") from None


def read_bytes(path: Path, most: int) -> bytes:
    """The whole of a file that has no more than ``most`` bytes.

    :raises ConfigurationError: with the cause and the fix.
    """
    try:
        if not path.is_file():
            if path.exists():
                raise _unreadable(f"{named(path)} is not a file", "name the file itself")
            raise _unreadable(f"{named(path)} does not exist", "create it, or fix the path")
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except OSError as error:
        cause = error.strerror or "an error"
        fix = "let the gateway's user read it"
        raise _unreadable(f"{named(path)} cannot be read ({cause.lower()})", fix) from None
    if len(raw) > most:
        raise _unreadable(f"{named(path)} is longer than {most // 1024} KiB", "name the right file")
    return raw


def read_secret(path: Path) -> Secret:
    """The one line of a secret file, without its line end.

    :raises ConfigurationError: with the cause and the fix.
    """
    text = read_text(path)
    line = text.removesuffix("\n").removesuffix("\r")
    if not line.strip():
        raise _unreadable(f"{named(path)} is empty", "write the secret into it")
    if not line.isprintable():
        raise _unreadable(
            f"{named(path)} has more than one line, or control characters", "keep only the secret in it"
        )
    return Secret(line)


def context_of(
    cert_file: Path, key_file: Path, *, client_ca_file: Path | None = None, protocol: str = "http/1.1"
) -> ssl.SSLContext:
    """TLS 1.2 and later with this certificate.

    :param client_ca_file: whoever connects must show a certificate that one of these vouches for.
    :param protocol: what is spoken inside, as ALPN names it.
    :raises ConfigurationError: certificate and key cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([protocol])
    try:
        # The password is for keys that have one: OpenSSL would ask for it at the terminal.
        context.load_cert_chain(cert_file, key_file, password="")
    except OSError as error:
        cause = getattr(error, "reason", None) or error.strerror or str(error)
        what = f"{cert_file} and {key_file} cannot be used ({cause})"
        fix = "give a certificate chain and its private key, both in PEM and without a passphrase"
        raise ConfigurationError("bad_certificate", what, fix=fix) from None
    if client_ca_file is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(client_ca_file)
        except OSError as error:
            cause = getattr(error, "reason", None) or error.strerror or str(error)
            what = f"{named(client_ca_file)} holds no certificate in PEM ({cause})"
            raise ConfigurationError("bad_certificate", what, fix="name the right file") from None
    return context


def _unreadable(what: str, fix: str) -> ConfigurationError:
    return ConfigurationError("unreadable_file", what, fix=fix)
