"""All checks over one deployment. Whatever a check meets, the others still run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path

from gateway.app.options import way
from gateway.config import Settings, examine
from gateway.core import clock
from gateway.doctor import (
    application,
    bypass,
    end_session,
    findings,
    hops,
    inbound,
    issuer,
    saml,
    sign_in,
    stand_in,
    state,
    tenant,
    walk,
)
from gateway.doctor import front as front_checks
from gateway.doctor.check import Check
from gateway.doctor.patient import Patient, ask_provider
from gateway.doctor.probe import Probe
from gateway.doctor.registrations import registrations
from gateway.doctor.served import ask_upstreams
from gateway.doctor.verdict import Observation, Verdict, unknown
from gateway.oidc.providers.descriptor import Registration
from gateway.settings.secret_files import Secret

CHECKS: tuple[Check, ...] = (
    *issuer.CHECKS,
    *sign_in.CHECKS,
    *hops.CHECKS,
    *end_session.CHECKS,
    *saml.CHECKS,
    *tenant.CHECKS,
    *inbound.CHECKS,
    *state.CHECKS,
    *application.CHECKS,
    *bypass.CHECKS,
    *front_checks.CHECKS,
    *walk.CHECKS,
    *stand_in.CHECKS,
)
NAMES = frozenset({findings.NAME, *(each.name for each in CHECKS)})
_HIDDEN = "[secret]"
_LEAST = 4
"""Characters of a secret that is worth hiding; a shorter one would hide the text around it."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What was seen.

    :ivar seen: the name of a check and one observation of it, in order. :ivar register: what to enter elsewhere.
    """

    config: str
    seen: tuple[tuple[str, Observation], ...]
    register: tuple[Registration, ...] = ()
    live: bool = False

    @property
    def sound(self) -> bool:
        """Whether nothing failed."""
        return all(observation.verdict is not Verdict.FAILED for _, observation in self.seen)


@dataclass(slots=True)
class _Sheet:
    """Takes the observations, and lets no secret through."""

    hide: Callable[[str], str]
    rows: list[tuple[str, Observation]] = field(default_factory=list)

    def note(self, name: str, observation: Observation) -> None:
        hidden = replace(
            observation,
            looked_at=self.hide(observation.looked_at),
            what=self.hide(observation.what),
            fix=self.hide(observation.fix),
        )
        self.rows.append((name, hidden))


async def examined(
    path: Path,
    *,
    environ: Mapping[str, str] = os.environ,
    live: bool = False,
    saml_metadata: str = "",
    front: str = "",
    checks: Iterable[Check] = CHECKS,
) -> Examination:
    """The whole examination. Never raises for what it meets."""
    examination = examine(path, environ)
    settings = examination.settings
    sheet = _Sheet(_hiding(settings))
    for observation in findings.observed(str(path), examination.findings):
        sheet.note(findings.NAME, observation)
    if settings is None:
        return Examination(str(path), tuple(sheet.rows), live=live)
    patient = Patient(
        settings=settings,
        discovered=await ask_provider(settings, now=clock.now),
        probe=Probe(ca_file=settings.provider.ca_file, resolve=settings.provider.resolve, way=way(settings)),
        served=await ask_upstreams(settings),
        live=live,
        saml_metadata=saml_metadata,
        front=front,
    )
    for each in checks:
        await _run(each, patient, sheet)
    return Examination(str(path), tuple(sheet.rows), tuple(registrations(settings)), live)


async def _run(each: Check, patient: Patient, sheet: _Sheet) -> None:
    try:
        async for observation in each.look(patient):
            sheet.note(each.name, observation)
    except Exception as error:  # noqa: BLE001 -- one check that breaks must not hide what the others see
        what = f"the check itself broke ({type(error).__name__})"
        sheet.note(each.name, unknown(each.about, what, "please report it, with the version and this line"))


def _hiding(settings: Settings | None) -> Callable[[str], str]:
    """What replaces every configured secret in a text: a server that is asked may repeat one."""
    secrets = [secret for secret in _secrets(settings) if len(secret) >= _LEAST]

    def hide(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, _HIDDEN)
        return text

    return hide


def _secrets(value: object) -> Iterator[str]:
    """Every secret in a section, or a list of sections, and below it."""
    if isinstance(value, Secret):
        yield value.text
    elif isinstance(value, tuple):
        for each in value:
            yield from _secrets(each)
    elif is_dataclass(value):
        for each in fields(value):
            yield from _secrets(getattr(value, each.name))
