"""From a file and the environment to :class:`Settings`: the three passes, and everything they find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from gateway.config import (
    file_rules,
    forward_auth_rules,
    grpc_rules,
    inbound_rules,
    provider_rules,
    rules,
    session_rules,
    state_rules,
)
from gateway.config.environment import overlay
from gateway.config.fields import Reading
from gateway.config.findings import ConfigurationErrors, Finding, KeyPath, Place, in_order
from gateway.config.yaml_tree import read_tree
from gateway.core.errors import ConfigurationError
from gateway.oidc.providers.registry import HOPS, PROVIDERS
from gateway.settings.addresses import origin_of
from gateway.settings.model import Settings
from gateway.settings.names import ConfiguredHop
from gateway.settings.secret_files import read_text

_BEGIN = "begin with the configuration at the top of docs/configuration.md"
_OF = (
    rules,
    forward_auth_rules,
    grpc_rules,
    provider_rules,
    session_rules,
    inbound_rules,
    state_rules,
    file_rules,
)
_RULES = tuple(each for module in _OF for each in module.RULES)


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
    except ConfigurationError as unreadable:
        return CheckResult(None, (Finding(Place(str(path)), "", unreadable.detail, unreadable.fix),))
    values, places, findings = read_tree(text.removeprefix("\ufeff"), str(path))
    broken = bool(findings) and not values
    findings += overlay(values, environ, places)
    if broken or not values:
        # Nothing is said of missing keys: in a file that cannot be read they may all be there.
        findings += [] if broken else [places.finding((), "is empty", _BEGIN)]
        return CheckResult(None, tuple(in_order(findings)))
    reading = Reading(places, path.absolute().parent)
    settings = _with_chain(reading.build(Settings, values), reading)
    for each in _RULES:
        if each.unwritten not in reading.given and all(reading.usable(need) for need in each.needs):
            reading.note(each.check(settings), each.needs)
    ordered = tuple(in_order(findings + reading.findings))
    return CheckResult(None if any(finding.failing for finding in ordered) else settings, ordered)


def _with_chain(settings: Settings, reading: Reading) -> Settings:
    """``settings`` with the logout chain that its provider's kind implies, where none is written."""
    needs: tuple[KeyPath, ...] = (("provider", "kind"), ("provider", "issuer"), ("logout", "chain"))
    if ("logout", "chain") in reading.given or not all(reading.usable(need) for need in needs):
        return settings
    hop = HOPS[PROVIDERS[settings.provider.kind].hop]
    implied = ConfiguredHop(hop.name, origin_of(urlsplit(settings.provider.issuer)) if hop.example else "")
    return replace(settings, logout=replace(settings.logout, chain=(implied,)))
