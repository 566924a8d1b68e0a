"""What there is to say about a file that the configuration names."""

from __future__ import annotations

import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

from gateway.config.findings import KeyPath
from gateway.config.remarks import Remark, error, warning
from gateway.core.errors import ConfigurationError
from gateway.core.session.key_file import MAKE_ONE, parse_key
from gateway.settings.secret_files import context_of, named, read_bytes, read_text

MAX_BUNDLE = 8 * 1024 * 1024
"""Bytes of a file of authorities; that of Debian, which has all that browsers trust, has 220 KB."""


def exposure(path: KeyPath, file: Path) -> Iterator[Remark]:
    """A warning when everybody on the machine can read a secret."""
    if _mode(file) & stat.S_IROTH:
        fix = "take that right away (chmod 640, or `defaultMode: 0440` of a Kubernetes volume)"
        yield warning(path, f"{named(file)} can be read by every user of the machine", fix)


def _mode(file: Path) -> int:
    try:
        return file.stat().st_mode
    except OSError:
        return 0


def check_key_file(path: KeyPath, file: Path) -> Iterator[Remark]:
    """A session key file: readable, and a key nobody typed (design section 4)."""
    if _is_key(file.name):
        what = "is a key itself, where the name of a file belongs"
        yield error(path, what, "write a new key into a file, and its name here; this one has been seen")
        return
    try:
        parse_key(read_text(file))
    except ConfigurationError as unreadable:
        fix = unreadable.fix if file.exists() else "make it with `gateway keys new -o FILE`, or fix the path"
        yield error(path, unreadable.detail, fix)
    except ValueError as reason:
        yield error(path, f"the key in {named(file)} {reason}", MAKE_ONE)
    else:
        yield from exposure(path, file)


def _is_key(name: str) -> bool:
    try:
        parse_key(name)
    except ValueError:
        return False
    return True


def check_readable(path: KeyPath, file: Path, *, marker: str) -> Iterator[Remark]:
    """A PEM file that has ``marker`` in it, such as ``CERTIFICATE``."""
    try:
        text = read_text(file)
    except ConfigurationError as unreadable:
        yield error(path, unreadable.detail, unreadable.fix)
    else:
        if "-----BEGIN" not in text or marker not in text:
            yield error(path, f"{named(file)} holds no {marker.lower()} in PEM", "name the right file")


def check_authorities(path: KeyPath, file: Path) -> Iterator[Remark]:
    """Certificates to trust, one or many, as OpenSSL reads them: with whatever else stands between them."""
    try:
        read_bytes(file, MAX_BUNDLE)
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
    except ConfigurationError as unreadable:
        yield error(path, unreadable.detail, unreadable.fix)
    except OSError as refused:  # ssl.SSLError is one
        cause = getattr(refused, "reason", None) or refused.strerror or str(refused)
        yield error(path, f"{named(file)} holds no certificate in PEM ({cause})", "name the right file")


def check_pair(path: KeyPath, cert_file: Path, key_file: Path) -> Iterator[Remark]:
    """A certificate and its key, each of them sound: whether they belong together, and can be used."""
    try:
        context_of(cert_file, key_file)
    except ConfigurationError as refused:
        yield error(path, refused.detail, refused.fix)


def check_directory(path: KeyPath, directory: Path, *, purpose: str) -> Iterator[Remark]:
    """A directory that must be there."""
    if not directory.is_dir():
        what = "is not a directory" if directory.exists() else "does not exist"
        yield error(path, f"{directory} {what}", f"create it ({purpose}), or fix the path")
