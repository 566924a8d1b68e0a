"""Files the configuration names: secrets are read, the rest is looked at."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr

from gateway.config.findings import KeyPath, Severity
from gateway.config.remarks import Remark
from gateway.core.session.key_file import MAKE_ONE, parse_key

MAX_SECRET = 64 * 1024
"""Bytes. The longest secret in use, an RSA key in PEM, has a twentieth of it."""


class UnreadableError(Exception):
    """A file cannot be used; the arguments are the cause and the fix."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


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

    :raises UnreadableError: with the cause and the fix.
    """
    try:
        if not path.is_file():
            if path.exists():
                raise UnreadableError(f"{named(path)} is not a file", "name the file itself")
            raise UnreadableError(f"{named(path)} does not exist", "create it, or fix the path")
        with path.open("rb") as file:
            raw = file.read(MAX_SECRET + 1)
    except OSError as error:
        cause = error.strerror or "an error"
        fix = "let the gateway's user read it"
        raise UnreadableError(f"{named(path)} cannot be read ({cause.lower()})", fix) from None
    if len(raw) > MAX_SECRET:
        raise UnreadableError(f"{named(path)} is longer than {MAX_SECRET // 1024} KiB", "name the right file")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise UnreadableError(f"{named(path)} is not text", "name the right file") from None


def read_secret(path: Path) -> SecretStr:
    """The one line of a secret file, without its line end.

    :raises UnreadableError: with the cause and the fix.
    """
    text = read_text(path)
    line = text.removesuffix("\n").removesuffix("\r")
    if not line.strip():
        raise UnreadableError(f"{named(path)} is empty", "write the secret into it")
    if not line.isprintable():
        raise UnreadableError(
            f"{named(path)} has more than one line, or control characters", "keep only the secret in it"
        )
    return SecretStr(line)


def exposure(path: KeyPath, file: Path) -> Iterator[Remark]:
    """A warning when everybody on the machine can read a secret."""
    if _mode(file) & stat.S_IROTH:
        fix = "take that right away (chmod 640, or `defaultMode: 0440` of a Kubernetes volume)"
        yield Remark(path, f"{named(file)} can be read by every user of the machine", fix, Severity.WARNING)


def _mode(file: Path) -> int:
    try:
        return file.stat().st_mode
    except OSError:
        return 0


def check_key_file(path: KeyPath, file: Path) -> Iterator[Remark]:
    """A session key file: readable, and a key nobody typed (design section 4)."""
    if _is_key(file.name):
        what = "is a key itself, where the name of a file belongs"
        yield Remark(path, what, "write a new key into a file, and its name here; this one has been seen")
        return
    try:
        parse_key(read_text(file))
    except UnreadableError as unreadable:
        fix = unreadable.fix if file.exists() else "make it with `gateway keys new -o FILE`, or fix the path"
        yield Remark(path, unreadable.what, fix)
    except ValueError as reason:
        yield Remark(path, f"the key in {named(file)} {reason}", MAKE_ONE)
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
    except UnreadableError as unreadable:
        yield Remark(path, unreadable.what, unreadable.fix)
    else:
        if "-----BEGIN" not in text or marker not in text:
            yield Remark(path, f"{named(file)} holds no {marker.lower()} in PEM", "name the right file")


def check_directory(path: KeyPath, directory: Path, *, purpose: str) -> Iterator[Remark]:
    """A directory that must be there."""
    if not directory.is_dir():
        what = "is not a directory" if directory.exists() else "does not exist"
        yield Remark(path, f"{directory} {what}", f"create it ({purpose}), or fix the path")
