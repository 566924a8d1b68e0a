"""Amazon Cognito, a hub that signs people in itself or asks another provider."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.oidc.providers.descriptor import HopKind, Note, ProviderKind, Registration, Return
from gateway.oidc.signout.sign_outs import Ends, Proof, SignOut

_LOGIN_PAGES = "User pool > App clients > your client > Login pages"
_SAML_APP = "Applications > your SAML app > General > SAML Settings > Enable Single Logout"
_OKTAS_SAML = f"{_SAML_APP} (only for SAML single logout)"
_POOL = re.compile(r"https://cognito-idp\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?(?:/(.*))?")
_DOMAIN = re.compile(r"https://[a-z0-9-]+\.auth\.([a-z0-9-]+)\.amazoncognito\.com")


def _regions(issuer: str, domain: str) -> Iterator[tuple[str, str, str]]:
    """A pool's id begins with its region, which its address and its domain are in; a domain of one's own tells none."""
    pool, hosted = _POOL.fullmatch(issuer), _DOMAIN.fullmatch(domain)
    if pool is None:
        return
    region, name = pool[1], pool[2] or ""
    of = name.partition("_")[0]
    if not re.fullmatch(r"[a-z0-9-]+_[A-Za-z0-9]+/?", name):
        what = f"names no user pool: `{name}`" if name else "names no user pool"
        yield (
            "issuer",
            what,
            f"write https://cognito-idp.{region}.amazonaws.com/{region}_POOL, as Cognito shows it",
        )
    elif of != region:
        what = f"is at {region}, and the pool {name} is in {of}"
        yield (
            "issuer",
            what,
            f"write the region of the pool in both places, cognito-idp.{of}.amazonaws.com/{name}",
        )
    if hosted is not None and hosted[1] not in {region, of}:
        what = f"is in {hosted[1]}, and the pool of `provider.issuer` in {of or region}: it is another pool's domain"
        yield "domain", what, "copy both from one pool: its issuer, and its domain under App integration"


KIND = ProviderKind(
    name="cognito",
    label="Cognito",
    console="Amazon Cognito",
    hop="cognito",
    paths=("/oauth2/authorize", "/oauth2/token", "/oauth2/revoke"),
    no_issuer=(".amazoncognito.com", "https://cognito-idp.REGION.amazonaws.com/USER_POOL_ID"),
    hosts=(".amazonaws.com",),
    slash=False,
    doubts=_regions,
    token_kind=("token_use", "id"),
    provider_hint="identity_provider",
    usernames=("preferred_username", "cognito:username"),
    groups=True,
    takes_s256=True,
    broker=True,
    manners="Cognito takes client_id and logout_uri and ignores what OpenID Connect would send; the gateway sends the"
    " former",
    sign_in=(_LOGIN_PAGES, "Allowed callback URLs"),
    sign_out=(_LOGIN_PAGES, "Allowed sign-out URLs"),
    instead="Okta behind Cognito has universal_logout, security_events and okta_event_hook",
    behind=(
        Registration(
            "Okta",
            "Applications > Browse App Catalog > Bookmark App (only for a tile on Okta's dashboard)",
            "URL",
            "{origin}/",
            "the tile starts a sign-in here; a tile of the SAML app itself begins one at Okta, which Cognito refuses as"
            " it is set up at first",
        ),
        Registration(
            "Okta",
            _OKTAS_SAML,
            "Single Logout URL",
            "{domain}/saml2/logout",
            "Okta posts its answer there; set this before the metadata is imported into Cognito again",
        ),
        Registration(
            "Okta",
            _OKTAS_SAML,
            "SP Issuer",
            "urn:amazon:cognito:sp:{pool}",
            "the issuer of Cognito's requests; Okta refuses any other",
        ),
        Registration(
            "Okta",
            _OKTAS_SAML,
            "Signature Certificate",
            "the signing certificate of the user pool",
            "from Cognito: User pool > Social and external providers > your SAML provider > View signing certificate;"
            " with another one Okta answers AuthnFailed or 403",
        ),
        Registration(
            "Amazon Cognito",
            "User pool > Social and external providers > your SAML provider (only for SAML single logout)",
            "Add sign-out flow",
            "on",
            "after Okta has single logout; then refresh the metadata, which shows it only from then on",
        ),
    ),
    notes=(
        Note(
            "revocation",
            "{domain}/oauth2/revoke",
            "whether the app client has token revocation enabled (new ones have, old ones may not) cannot be seen from"
            " outside",
            "User pool > App clients > your client: enable token revocation",
        ),
        Note(
            "fresh-sign-in",
            "{domain}/oauth2/authorize",
            "the first sign-in after a sign-out sends prompt=login; Cognito's classic pages ignore it, and whether Okta"
            " gets to hear of it by SAML is not documented",
            "do not rely on it: what ends a session is the chain, so have every provider in it",
        ),
        Note(
            "groups",
            "headers.groups",
            "groups kept at Cognito are seen at the next refresh, within the hour; attributes and groups of another"
            " provider behind it are learned at sign-in only, so a change there waits for the next one, at most"
            " {absolute}",
            "choose session.absolute as long as a change may wait; sessions that must end sooner are ended by the"
            " operator",
        ),
        Note(
            "refused-refreshes",
            "provider.scopes",
            "Cognito answers invalid_grant also when the app client may not read an attribute that a scope asks for,"
            " and everybody is signed out at the first refresh; from outside this looks like a revoked token",
            "User pool > App clients > your client > Attribute permissions: read access to the attributes of"
            " provider.scopes",
        ),
        Note(
            "rate-limits",
            "{domain}",
            "Cognito's domain takes 300 requests a second from one address, and all replicas behind one address share"
            " them; too many requests end no session here, they delay sign-ins and refreshes",
            "watch gateway_idp_requests_total, and give large deployments more addresses",
        ),
    ),
)
HOP = HopKind(
    name="cognito",
    of="cognito",
    known=SignOut(Proof.NOTHING, Ends.ALWAYS),
    address="{domain}/logout?client_id={client_id}&logout_uri={return_to}",
    registers=(
        Registration(
            "Amazon Cognito",
            _LOGIN_PAGES,
            "Allowed sign-out URLs",
            "{return_to}",
            "compared byte for byte; without it the chain ends at Cognito, and Okta stays signed in",
        ),
    ),
    question="Does Cognito send the browser back to exactly our address?",
    returns=Return.EXACT,
)
