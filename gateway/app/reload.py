"""Files that are taken in anew when their content changes: keys, policies, the client's secret, the password for Redis,
the certificate of our own listener (rule R26, pain P19).

They are read every two seconds, not watched: orchestrators swap mounted files by renaming directories, which file
events miss, and the files are small. What cannot be used changes nothing: the old content stays in force, the log and
``/readyz`` name the file and the fix until it is put right.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from gateway.core.errors import ConfigurationError, ProviderError
from gateway.core.policy.policy_set import PolicySet
from gateway.core.policy.statements import capitals_below
from gateway.core.session.key_file import MAKE_ONE
from gateway.core.session.sealing import SealingKey
from gateway.oidc.jose.jwks import KeySet, certificate_keys
from gateway.oidc.jose.signing_key import SigningKey
from gateway.oidc.signout import signed_receipt
from gateway.oidc.signout.signed_receipt import ReceiptKey
from gateway.settings.model import Settings
from gateway.settings.secret_files import context_of, named, read_secret, read_text, revealed
from gateway.settings.sections import GrpcSection
from gateway.state import policy_files
from gateway.telemetry.log import get_logger

MAKE_ASSERTION_KEY = "make one with `gateway keys assertion -o FILE`"
EVERY = 2.0
"""Seconds between two looks."""
_log = get_logger("reload")

C = TypeVar("C")
V = TypeVar("V")


class Watched(Generic[C, V]):
    """One thing that comes from files.

    :param name: what it is, in logs and in ``/readyz``.
    :param read: the content; what is equal has not changed.
    :param parse: the value of a content. Both raise ConfigurationError; both run in a thread.
    :ivar trouble: why the content on disk is not in force; empty when it is.
    """

    def __init__(self, name: str, read: Callable[[], C], parse: Callable[[C], V]) -> None:
        self.name = name
        self.trouble = ""
        self._read = read
        self._parse = parse
        self._content: C | None = None
        self._apply: Callable[[V], None] | None = None

    def first(self) -> V:
        """The value to start with.

        :raises ConfigurationError: there is none.
        """
        self._content = self._read()
        return self._parse(self._content)

    def follow(self, apply: Callable[[V], None]) -> None:
        """Hand later values to ``apply``, which runs in the event loop."""
        self._apply = apply

    async def look(self) -> None:
        """Take in what has changed; keep what is in force when that cannot be used."""
        try:
            changed = await asyncio.to_thread(self._changed)
        except ConfigurationError as error:
            self._tell(f"{error.detail}; {error.fix}")
            return
        if changed is not None:
            self._content = changed[0]
            if self._apply is not None:
                self._apply(changed[1])
            _log.info("reloaded", what=self.name)
        self.trouble = ""

    def health(self) -> str:
        """One line for people; starts with "ok" when what is on disk is in force."""
        return f"not reloaded, the former {self.name} stay in force: {self.trouble}" if self.trouble else "ok"

    def _changed(self) -> tuple[C, V] | None:
        content = self._read()
        return None if content == self._content else (content, self._parse(content))

    def _tell(self, trouble: str) -> None:
        if trouble != self.trouble:
            _log.error("not_reloaded", what=self.name, why=trouble)
        self.trouble = trouble


async def look_at(all_watched: Sequence[Watched[object, object]]) -> None:
    """Look at all of them, for ever."""
    while True:
        await asyncio.sleep(EVERY)
        for watched in all_watched:
            try:
                await watched.look()
            except Exception:  # noqa: BLE001 -- one that crashes must not stop the others from being followed
                _log.exception("reload_crashed", what=watched.name)


def sealing_keys(files: Sequence[Path]) -> Watched[tuple[str, ...], list[SealingKey]]:
    """The session keys of these files, in their order."""

    def parse(texts: tuple[str, ...]) -> list[SealingKey]:
        return [_key(file, text) for file, text in zip(files, texts, strict=True)]

    return Watched("keys", lambda: tuple(read_text(file) for file in files), parse)


def policies(source: str, insensitive: Sequence[str] = ()) -> Watched[Mapping[str, str], PolicySet]:
    """The policy set that the configuration names; a set that comes with the gateway is never read again.

    :param insensitive: prefixes of the routes that show policies paths in lower case.
    """

    def read() -> Mapping[str, str]:
        if source.startswith(policy_files.BUILTIN):
            return {}
        directory = policy_files.directory_of(source, Path.cwd())
        found = sorted((*directory.glob("*.cedar"), *directory.glob("*.cedarschema")))
        return {file.name: read_text(file) for file in found}

    def parse(_: Mapping[str, str]) -> PolicySet:
        loaded = policy_files.load(source, Path.cwd())
        for fault in capitals_below(loaded.policies, insensitive):
            place = f"{fault.file}:{fault.line}"
            _log.warning("policy_never_applies", place=place, why=fault.what, fix=fault.fix)
        return loaded

    return Watched("policies", read, parse)


def application_certificate(file: Path) -> Watched[str, KeySet]:
    """The keys of the certificate by which Universal Logout calls are known."""
    return Watched("application certificate", lambda: read_text(file), lambda text: _certificate(file, text))


def secret(name: str, file: Path | None) -> Watched[str, str] | None:
    """A secret, where it comes from a file."""
    return None if file is None else Watched(name, lambda: read_secret(file).text, lambda text: text)


def caller_secrets(settings: Settings) -> Watched[tuple[str, ...], tuple[str, ...]] | None:
    """What the proxies that ask have to send, one for each; None where no file has one."""
    asking = settings.forward_auth.asking if settings.forward_auth else ()
    if not any(each.secret_file for each in asking):
        return None

    def read() -> tuple[str, ...]:
        return tuple(
            read_secret(each.secret_file).text if each.secret_file else revealed(each.secret) or ""
            for each in asking
        )

    return Watched("forward-auth secrets", read, lambda texts: texts)


def _certificate(file: Path, text: str) -> KeySet:
    try:
        return certificate_keys(text.encode())
    except ProviderError as fault:
        raise ConfigurationError(
            "bad_certificate", f"{named(file)} is {fault.detail}", fix="download the certificate anew"
        ) from None


def receipt_key(settings: Settings) -> Watched[str, ReceiptKey] | None:
    """The key that signs receipts, where there is one."""
    file = settings.logout.receipt_key_file
    if file is None:
        return None
    return Watched("receipt key", lambda: read_text(file), lambda text: _receipt_key(file, text))


def assertion_keys(settings: Settings) -> Watched[tuple[str, ...], list[SigningKey]] | None:
    """The keys that sign assertions, in their order, where they are sent."""
    files = settings.headers.assertion_key_files
    if not settings.headers.assertion:
        return None

    def parse(texts: tuple[str, ...]) -> list[SigningKey]:
        return [_assertion_key(file, text) for file, text in zip(files, texts, strict=True)]

    return Watched("assertion keys", lambda: tuple(read_text(file) for file in files), parse)


def _assertion_key(file: Path, text: str) -> SigningKey:
    try:
        return SigningKey.parse(text)
    except ValueError as reason:
        raise ConfigurationError(
            "bad_key", f"the key in {named(file)} {reason}", fix=MAKE_ASSERTION_KEY
        ) from None


def _receipt_key(file: Path, text: str) -> ReceiptKey:
    try:
        return ReceiptKey.parse(text)
    except ValueError as reason:
        raise ConfigurationError(
            "bad_key", f"the key in {named(file)} {reason}", fix=signed_receipt.MAKE_ONE
        ) from None


def certificate(settings: Settings) -> Watched[tuple[str, str], ssl.SSLContext] | None:
    """What our own listener speaks TLS with; None when it is plain.

    While one of the two files is written already and the other is not, they do not fit, and the former ones stay.
    """
    cert_file, key_file = settings.tls.cert_file, settings.tls.key_file
    if cert_file is None or key_file is None:
        return None
    return Watched(
        "certificate",
        lambda: (read_text(cert_file), read_text(key_file)),
        lambda _: context_of(cert_file, key_file),
    )


def question_certificate(grpc: GrpcSection) -> Watched[tuple[str, ...], ssl.SSLContext] | None:
    """The same for the listener of questions over gRPC, with those who may ask."""
    cert_file, key_file, ca_file = grpc.cert_file, grpc.key_file, grpc.client_ca_file
    if cert_file is None or key_file is None:
        return None
    files = [cert_file, key_file, *([ca_file] if ca_file is not None else [])]
    return Watched(
        "grpc certificate",
        lambda: tuple(read_text(file) for file in files),
        lambda _: context_of(cert_file, key_file, client_ca_file=ca_file, protocol="h2"),
    )


def _key(file: Path, text: str) -> SealingKey:
    try:
        return SealingKey.parse(text)
    except ValueError as reason:
        raise ConfigurationError("bad_key", f"the key in {named(file)} {reason}", fix=MAKE_ONE) from None
