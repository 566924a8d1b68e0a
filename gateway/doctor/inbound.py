"""The ways in which others end sessions here: can what they send be verified?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from gateway.app.options import transport
from gateway.core.errors import ConfigurationError, ProviderError
from gateway.doctor.check import check
from gateway.doctor.patient import Patient
from gateway.doctor.verdict import Observation, failed, ok
from gateway.oidc.jose.jwks import parse_key_set
from gateway.oidc.wire import get
from gateway.settings.model import Settings


@check("inbound-keys", "Can the keys be read of those who may end sessions from outside?")
async def inbound_keys(patient: Patient) -> AsyncIterator[Observation]:
    for name, uri in _key_sets(patient.settings):
        yield await _asked(name, uri, patient.settings)


def _key_sets(settings: Settings) -> Iterator[tuple[str, str]]:
    inbound = settings.inbound
    if inbound.universal_logout is not None and inbound.universal_logout.jwks_uri is not None:
        yield "inbound.universal_logout", inbound.universal_logout.jwks_uri
    if inbound.security_events is not None:
        yield "inbound.security_events", inbound.security_events.jwks_uri


async def _asked(name: str, uri: str, settings: Settings) -> Observation:
    """The keys are fetched as the gateway fetches them when the first call comes."""
    fix = (
        f"compare {name}.jwks_uri with the sender's own metadata: without its keys every call is answered 503"
    )
    try:
        link = transport(settings)
    except ConfigurationError as error:
        return failed(uri, error.detail, error.fix)
    try:
        count = len(parse_key_set(await link.send(get(uri))).keys)
    except ProviderError as error:
        return failed(uri, error.detail or error.code, fix)
    finally:
        await link.close()
    return ok(uri, f"{count} {'key' if count == 1 else 'keys'} for what {name} receives")


CHECKS = (inbound_keys,)
