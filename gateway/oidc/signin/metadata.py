"""Provider metadata (OpenID Connect Discovery 1.0): where it is, and what of it we believe."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.core.errors import ConfigurationError, ProviderError
from gateway.oidc.urls import fault_of
from gateway.oidc.wire import ProviderRequest, ProviderResponse, document, get, printable

WELL_KNOWN = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Absolute URLs of the endpoints that a sign-in needs."""

    authorization: str
    token: str
    revocation: str | None


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """The part of the metadata document that the gateway uses.

    :ivar iss_required: the provider promises ``iss`` in every authorization response (RFC 9207 §3).
    :ivar authentication: how clients may prove themselves to its token endpoint; empty where it does not say.
    """

    issuer: str
    endpoints: Endpoints
    jwks_uri: str
    end_session: str | None = None
    iss_required: bool = False
    authentication: tuple[str, ...] = ()


def metadata_request(issuer: str) -> ProviderRequest:
    """The request for the metadata of ``issuer`` (OpenID Connect Discovery 1.0 §4.1).

    :raises ConfigurationError: the issuer is not an https URL (http on loopback names), or has a query (§3).
    """
    fault = fault_of(issuer) or ("has a query" if "?" in issuer else None)
    if fault:
        raise ConfigurationError(
            "bad_issuer", f"provider.issuer {fault}", fix="copy it from the provider's own metadata"
        )
    return get(issuer.removesuffix("/") + WELL_KNOWN)


def parse_metadata(answer: ProviderResponse, *, issuer: str) -> ProviderMetadata:
    """The metadata in ``answer``.

    The issuer in it must be ``issuer`` character for character (§4.3): everything else it says is believed
    only because of that. Its endpoints are https; plain http is accepted on loopback names when the issuer is
    such itself.

    :raises ProviderError: ``issuer_mismatch``, ``bad_response``, or ``provider_error`` when it was not
        served.
    """
    found = document(answer, "provider metadata")
    if found.get("issuer") != issuer:
        raise ProviderError(
            "issuer_mismatch",
            f"the metadata is of issuer {printable(str(found.get('issuer')))}",
            fix="set provider.issuer to exactly what the provider says, trailing slash included",
        )
    methods = found.get("token_endpoint_auth_methods_supported")
    listed = methods if isinstance(methods, list) else []
    reader = _EndpointReader(found, http_on_loopback=urlsplit(issuer).scheme == "http")
    return ProviderMetadata(
        issuer=issuer,
        endpoints=Endpoints(
            authorization=reader.required("authorization_endpoint"),
            token=reader.required("token_endpoint"),
            revocation=reader.optional("revocation_endpoint"),
        ),
        jwks_uri=reader.required("jwks_uri"),
        end_session=reader.optional("end_session_endpoint"),
        iss_required=found.get("authorization_response_iss_parameter_supported") is True,
        authentication=tuple(each for each in listed if isinstance(each, str)),
    )


def endpoints_on(domain: str | None, paths: tuple[str, str, str] | None) -> Endpoints | None:
    """The endpoints on ``domain``, known without asking anyone; None when the provider keeps none there.

    :param domain: origin of the hosted UI, such as ``https://example.auth.eu-west-1.amazoncognito.com``.
    :raises ConfigurationError: the domain is not an https origin (http on loopback names).
    """
    if not domain or paths is None:
        return None
    base = origin(domain, "provider.domain")
    return Endpoints(*(base + path for path in paths))


def origin(url: str, name: str) -> str:
    """``url`` as an origin without a trailing slash.

    :param name: what the operator calls it, for the error.
    :raises ConfigurationError: it is not https (http on loopback names) or has a path or query.
    """
    base = url.removesuffix("/")
    bare = base.count("/") == 2 and "?" not in base
    fault = fault_of(base) or (None if bare else "is more than scheme, host and port")
    if fault:
        raise ConfigurationError("bad_origin", f"{name} {fault}", fix="write it as https://host")
    return base


@dataclass(frozen=True, slots=True)
class _EndpointReader:
    found: dict[str, object]
    http_on_loopback: bool

    def required(self, name: str) -> str:
        url = self.optional(name)
        if url is None:
            raise ProviderError("bad_response", f"the provider metadata has no {name}")
        return url

    def optional(self, name: str) -> str | None:
        url = self.found.get(name)
        if url is None:
            return None
        if not isinstance(url, str):
            raise ProviderError("bad_response", f"{name} in the provider metadata is not a string")
        fault = fault_of(url, http_on_loopback=self.http_on_loopback)
        if fault:
            raise ProviderError("bad_response", f"{name} in the provider metadata {fault}")
        return url
