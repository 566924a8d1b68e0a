"""The third pass: the files and directories that are named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gateway.config.file_checks import (
    check_authorities,
    check_directory,
    check_key_file,
    check_pair,
    check_readable,
    exposure,
)
from gateway.config.remarks import Remark, Rule, error, rule, warning
from gateway.core.errors import ConfigurationError, ProviderError
from gateway.oidc.jose.jwks import certificate_keys
from gateway.settings.model import Settings
from gateway.settings.secret_files import named, read_text

_ASSERTION_KEY = "make one with `gateway keys assertion -o FILE`"


@rule("session.key_files")
def _key_files(settings: Settings) -> Iterator[Remark]:
    for index, file in enumerate(settings.session.key_files):
        yield from check_key_file(("session", "key_files", index), file)


@rule("logout.receipt_key_file", "log.level")
def _receipt_key(settings: Settings) -> Iterator[Remark]:
    # Late, as the policies are: most commands and most deployments sign nothing.
    from gateway.oidc.signout import signed_receipt

    file = settings.logout.receipt_key_file
    if file is None:
        return
    try:
        signed_receipt.ReceiptKey.parse(read_text(file))
    except ConfigurationError as unreadable:
        yield error("logout.receipt_key_file", unreadable.detail, unreadable.fix)
    except ValueError as reason:
        yield error("logout.receipt_key_file", f"the key in {named(file)} {reason}", signed_receipt.MAKE_ONE)
    else:
        yield from exposure(("logout", "receipt_key_file"), file)
    if settings.log.level not in {"debug", "info"}:
        what = "leaves out the lines of the audit trail, and the receipts with them"
        yield warning("log.level", what, "write `info`, or remove logout.receipt_key_file")


@rule("headers")
def _assertion_keys(settings: Settings) -> Iterator[Remark]:
    # Late, as with receipts.
    from gateway.oidc.jose.signing_key import SigningKey

    asked = settings.headers
    if asked.assertion and not asked.assertion_key_files:
        what = "is true, and there is no key to sign with"
        yield error(
            "headers.assertion", what, f"{_ASSERTION_KEY}, and list it in headers.assertion_key_files"
        )
    if asked.assertion and settings.forward_auth is not None:
        what = "goes only to the upstreams that the gateway itself forwards to, not through the proxy that asks it"
        yield warning("headers.assertion", what, "let the gateway forward what is to have it")
    for index, file in enumerate(asked.assertion_key_files):
        at = ("headers", "assertion_key_files", index)
        try:
            SigningKey.parse(read_text(file))
        except ConfigurationError as unreadable:
            yield error(at, unreadable.detail, unreadable.fix)
        except ValueError as reason:
            yield error(at, f"the key in {named(file)} {reason}", _ASSERTION_KEY)
        else:
            yield from exposure(at, file)


@rule("inbound.universal_logout")
def _calling_application(settings: Settings) -> Iterator[Remark]:
    asked = settings.inbound.universal_logout
    if asked is None or asked.certificate_file is None:
        return
    at = ("inbound", "universal_logout", "certificate_file")
    found = list(check_readable(at, asked.certificate_file, marker="CERTIFICATE"))
    yield from found
    if found:
        return
    try:
        certificate_keys(asked.certificate_file.read_bytes())
    except ProviderError as fault:
        what = f"{named(asked.certificate_file)} is {fault.detail}"
        yield error(at, what, "download the certificate of the application's sign-on settings anew")


@rule("upstreams")
def _upstream_certificates(settings: Settings) -> Iterator[Remark]:
    for index, upstream in enumerate(settings.upstreams):
        if upstream.ca_file is None:
            continue
        at = ("upstreams", index, "ca_file")
        if upstream.url.kind != "https":
            what = f"{upstream.url} is not reached with TLS, so nothing would be verified"
            yield error(at, what, "write an https URL, or remove the key")
        else:
            yield from check_authorities(at, upstream.ca_file)


@rule("upstreams")
def _served_directories(settings: Settings) -> Iterator[Remark]:
    for index, upstream in enumerate(settings.upstreams):
        if upstream.url.kind == "file" and upstream.url.path is not None:
            at = ("upstreams", index, "url")
            yield from check_directory(at, upstream.url.path, purpose="the built application goes there")


@rule("policies", "upstreams")
def _policies(settings: Settings) -> Iterator[Remark]:
    # Late, so that `gateway schema` and `gateway keys new` do not load Cedar.
    from gateway.core.policy.faults import PolicyFaultsError
    from gateway.core.policy.statements import capitals_below
    from gateway.state import policy_files

    try:
        policies = policy_files.load(settings.policies, Path.cwd()).policies
    except PolicyFaultsError as faulty:
        for fault in faulty.faults:
            place = f"{fault.file}:{fault.line}" if fault.line else fault.file
            yield error("policies", f"{place}: {fault.what}", fault.fix)
        return
    for fault in capitals_below(policies, settings.insensitive):
        yield warning("policies", f"{fault.file}:{fault.line}: {fault.what}", fault.fix)


def _trusted(section: str) -> Rule:
    def check(settings: Settings) -> Iterator[Remark]:
        file: Path | None = getattr(settings, section).ca_file
        if file is not None:
            yield from check_authorities((section, "ca_file"), file)

    return rule(f"{section}.ca_file")(check)


def _pair(section: str) -> Rule:
    def check(settings: Settings) -> Iterator[Remark]:
        files = {name: getattr(getattr(settings, section), name) for name in ("cert_file", "key_file")}
        found: list[Remark] = []
        for name, file in files.items():
            marker = "PRIVATE KEY" if name == "key_file" else "CERTIFICATE"
            found += [] if file is None else check_readable((section, name), file, marker=marker)
        yield from found
        cert_file, key_file = files["cert_file"], files["key_file"]
        if key_file is not None:
            yield from exposure((section, "key_file"), key_file)
        if not found and cert_file is not None and key_file is not None:
            yield from check_pair((section, "key_file"), cert_file, key_file)

    return rule(f"{section}.cert_file", f"{section}.key_file")(check)


RULES = (
    *(each for each in list(vars().values()) if isinstance(each, Rule)),
    *(_trusted(section) for section in ("provider", "redis")),
    *(_pair(section) for section in ("tls", "redis")),
)
