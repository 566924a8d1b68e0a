"""From a file and the environment to :class:`Settings`: the three passes, and everything they find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from gateway.config import file_rules, inbound_rules, not_yet, rules, session_rules, state_rules
from gateway.config.addresses import origin_of
from gateway.config.environment import overlay
from gateway.config.fields import Reading
from gateway.config.findings import ConfigurationErrors, Finding, KeyPath, Place, in_order
from gateway.config.model import Settings
from gateway.config.names import ConfiguredHop
from gateway.config.remarks import apply
from gateway.config.secret_files import UnreadableError, exposure, read_secret, read_text
from gateway.config.sections import Section
from gateway.config.yaml_tree import read_tree
from gateway.oidc.providers.registry import HOPS, PROVIDERS

S = TypeVar("S", bound=Section)
_SECRETS: tuple[KeyPath, ...] = (
    ("provider", "client_secret"),
    ("redis", "password"),
    ("admin", "token"),
    ("inbound", "security_events", "secret"),
    ("inbound", "security_events", "token"),
    ("inbound", "okta_event_hook", "secret"),
)
_BEGIN = "begin with the configuration at the top of docs/configuration.md"
_RULES = (*rules.RULES, *session_rules.RULES, *inbound_rules.RULES, *state_rules.RULES, *file_rules.RULES)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What ``gateway check`` sees.

    :ivar settings: None when a finding keeps the gateway from starting.
    :ivar findings: errors, warnings and notes in the order of their places.
    """

    settings: Settings | None
    findings: tuple[Finding, ...]


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """The configuration the gateway runs on.

    :param path: the YAML file; relative paths in it count from its directory.
    :param environ: the process's environment.
    :raises ConfigurationErrors: with all findings, when at least one is an error.
    """
    examination = examine(path, environ)
    if examination.settings is None:
        raise ConfigurationErrors(examination.findings)
    return examination.settings


def examine(path: Path, environ: Mapping[str, str]) -> CheckResult:
    """The configuration and everything there is to say about it; never raises for what an operator wrote."""
    try:
        text = read_text(path)
    except UnreadableError as unreadable:
        return CheckResult(None, (Finding(Place(str(path)), "", unreadable.what, unreadable.fix),))
    values, places, findings = read_tree(text.removeprefix("\ufeff"), str(path))
    broken = bool(findings) and not values
    findings += overlay(values, environ, places)
    if broken or not values:
        # Nothing is said of missing keys: in a file that cannot be read they may all be there.
        findings += [] if broken else [places.finding((), "is empty", _BEGIN)]
        return CheckResult(None, tuple(in_order(findings)))
    later = dict(not_yet.refused(values))
    reading = Reading(places, path.absolute().parent, refused=frozenset(later))
    settings = reading.build(Settings, values)
    findings += reading.findings
    for at, entry in later.items():
        findings.append(
            places.finding(at, f"{entry.feature} is not yet available in this version", entry.fix)
        )
    for at in _SECRETS:
        settings, found = _with_secret(settings, at, reading)
        findings += found
    settings = _with_chain(settings, reading)
    findings += apply(_RULES, settings, reading)
    ordered = tuple(in_order(findings))
    return CheckResult(None if any(finding.failing for finding in ordered) else settings, ordered)


def _with_secret(settings: Settings, at: KeyPath, reading: Reading) -> tuple[Settings, list[Finding]]:
    """``settings`` with the secret that stands in a file of its own; and what is wrong with the file."""
    by_file = (*at[:-1], f"{at[-1]}_file")
    if not reading.usable(by_file):
        return settings, []
    file: Path | None = _get(settings, by_file)
    if file is None:
        return settings, []
    if at in reading.given:
        what = f"`{at[-1]}` and `{by_file[-1]}` are both set"
        return settings, [reading.places.finding(by_file, what, "keep one of the two")]
    try:
        secret = read_secret(file)
    except UnreadableError as unreadable:
        reading.broken.add(at)
        return settings, [reading.places.finding(by_file, unreadable.what, unreadable.fix)]
    return _put(settings, at, secret), [
        reading.places.finding(remark.path, remark.what, remark.fix, remark.severity)
        for remark in exposure(by_file, file)
    ]


def _with_chain(settings: Settings, reading: Reading) -> Settings:
    """``settings`` with the logout chain that its provider's kind implies, where none is written."""
    needs: tuple[KeyPath, ...] = (("provider", "kind"), ("provider", "issuer"), ("logout", "chain"))
    if ("logout", "chain") in reading.given or not all(reading.usable(need) for need in needs):
        return settings
    hop = HOPS[PROVIDERS[settings.provider.kind].hop]
    implied = ConfiguredHop(hop.name, origin_of(urlsplit(settings.provider.issuer)) if hop.example else "")
    return _put(settings, ("logout", "chain"), (implied,), given=False)


def _get(section: Section, path: KeyPath) -> Any:
    """The value at ``path``; None where a section on the way is absent."""
    value: Any = section
    for name in path:
        value = None if value is None else getattr(value, str(name))
    return value


def _put(section: S, path: KeyPath, value: object, *, given: bool = True) -> S:
    """A copy of ``section`` with ``value`` at ``path``."""
    name = str(path[0])
    inner = value if len(path) == 1 else _put(getattr(section, name), path[1:], value, given=given)
    written = section.model_fields_set | ({name} if given else set())
    return type(section).model_construct(_fields_set=set(written), **{**section.__dict__, name: inner})
