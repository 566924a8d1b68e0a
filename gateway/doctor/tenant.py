"""What no document says and only a tenant can answer: seen from outside, as far as that goes. Only with ``--live``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from urllib.parse import urlsplit

from gateway.app.options import logout_options
from gateway.doctor.check import check
from gateway.doctor.patient import Patient
from gateway.doctor.probe import NoAnswerError, Reply
from gateway.doctor.verdict import Observation, ok, unknown
from gateway.oidc.providers.descriptor import Return
from gateway.oidc.providers.registry import HOPS
from gateway.oidc.wire import printable


@check("tenant", "What does this tenant do that is not documented?")
async def tenant(patient: Patient) -> AsyncIterator[Observation]:
    if not patient.live:
        return
    discovered = patient.discovered
    if discovered.metadata is not None and patient.settings.provider.domain:
        named = "names" if discovered.metadata.endpoints.revocation else "does not name"
        yield ok(
            discovered.url, f"discovery {named} a revocation_endpoint; the gateway uses the one of the domain"
        )
        iss = "promises" if discovered.metadata.iss_required else "does not promise"
        yield ok(discovered.url, f"discovery {iss} iss in authorization responses (RFC 9207)")
    for hop in logout_options(patient.settings).hops:
        if not hop.hint and (url := patient.url(hop)):
            yield await _cookies(url, patient)
            if HOPS[hop.name].returns is Return.EXACT:
                yield await _normalised(patient.url(hop, f"{patient.return_address(hop)}/"), patient)


async def _cookies(url: str, patient: Patient) -> Observation:
    where = urlsplit(url).netloc
    try:
        seen = await patient.probe.get(url)
    except NoAnswerError as error:
        return unknown(where, str(error))
    found = list(_attributes(seen))
    if not found:
        return unknown(where, "it sets no cookie without a session, so their attributes were not seen")
    return ok(where, f"it sets {'; '.join(found)}")


def _attributes(seen: Reply) -> Iterable[str]:
    """Name and attributes of each cookie, without its value."""
    for name, value in seen.headers:
        if name == "set-cookie":
            pair, *attributes = value.split(";")
            security_attributes = [
                a.strip() for a in attributes if a.strip().lower() in {"secure", "httponly"}
            ]
            security_attributes += [
                a.strip() for a in attributes if a.strip().lower().startswith("samesite=")
            ]
            yield printable(" ".join([pair.partition("=")[0].strip(), *security_attributes]), 80)


async def _normalised(url: str, patient: Patient) -> Observation:
    try:
        seen = await patient.probe.get(url)
    except NoAnswerError as error:
        return unknown(url, str(error))
    if seen.redirects and seen.location.startswith(str(patient.settings.public_url)):
        return ok(url, "a trailing slash too many in logout_uri is forgiven, or registered as well")
    return ok(url, "a trailing slash too many in logout_uri is refused: addresses are compared byte for byte")


CHECKS = (tenant,)
