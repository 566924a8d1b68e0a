"""What can be seen of a provider without asking it: whose issuer it is, how it is written, one pool, a secret."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.config import Severity

POOL = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf"
DOMAIN = "https://example.auth.eu-west-1.amazoncognito.com"
ELSEWHERE: dict[str, Any] = {"provider.domain": None, "logout": None, "headers": {"groups": "groups"}}


@pytest.mark.parametrize(
    ("changes", "key", "what", "fix"),
    [
        ({"issuer": "https://example.okta.com"}, "issuer", "is Okta's, but the provider's kind is cognito", "write `kind: okta`"),
        ({"issuer": "https://a.oktapreview.com/oauth2/default"}, "issuer", "is Okta's", "write `kind: okta`"),
        ({"issuer": "https://accounts.google.com"}, "issuer", "is Google's", "write `kind: google`"),
        ({"issuer": f"{POOL}/"}, "issuer", "Cognito writes issuers without a slash at the end", f"write {POOL}"),
        ({"issuer": "https://cognito-idp.eu-west-1.amazonaws.com"}, "issuer", "names no user pool", "eu-west-1_POOL"),
        ({"issuer": "https://cognito-idp.eu-west-1.amazonaws.com/AbCdEf"}, "issuer", "names no user pool: `AbCdEf`", "_POOL"),
        (
            {"issuer": POOL.replace("idp.eu-west-1", "idp.us-east-1")},
            "issuer", "is at us-east-1, and the pool eu-west-1_AbCdEf is in eu-west-1", "cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf",
        ),
        (
            {"domain": DOMAIN.replace("eu-west-1", "us-east-1")},
            "domain", "is in us-east-1, and the pool of `provider.issuer` in eu-west-1", "copy both from one pool",
        ),
        ({"kind": "okta", "issuer": POOL, **ELSEWHERE}, "issuer", "is Cognito's, but the provider's kind is okta", "write `kind: cognito`"),
        ({"kind": "okta", "issuer": "https://example.okta.com/", **ELSEWHERE}, "issuer", "Okta writes issuers without", "write https://example.okta.com"),
        ({"kind": "auth0", "issuer": "https://a.eu.auth0.com", **ELSEWHERE}, "issuer", "Auth0 writes issuers with a slash", "write https://a.eu.auth0.com/"),
        ({"kind": "keycloak", "issuer": "https://sso.example.com/realms/x/", **ELSEWHERE}, "issuer", "Keycloak writes", "write https://sso"),
    ],
)  # fmt: skip
def test_a_provider_that_cannot_be_is_an_error(examined, changes, key, what, fix):
    """Discovery or every token would be refused; nobody would know before the first sign-in."""
    changes = {
        name if "." in name or name in {"logout", "headers"} else f"provider.{name}": each
        for name, each in changes.items()
    }
    examination = examined(changes)
    assert examination.settings is None
    found = [one for one in examination.findings if one.failing and one.key == f"provider.{key}"]
    assert [one for one in found if what in one.what and fix in one.fix], examination.findings


@pytest.mark.parametrize(
    ("kind", "issuer", "domain"),
    [
        ("cognito", POOL, DOMAIN), ("cognito", POOL, "https://login.example.com"),
        ("cognito", "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_Ab1", "https://login.example.com"),
        ("cognito", "https://cognito-idp-fips.us-east-1.amazonaws.com/us-east-1_Ab1", "https://login.example.com"),
        ("okta", "https://login.example.com/oauth2/default", None), ("okta", "https://example.okta.com", None),
        ("auth0", "https://login.example.com/", None), ("keycloak", "https://sso.example.com/realms/x", None),
        ("entra", "https://login.microsoftonline.com/7f0a/v2.0", None), ("entra", "https://sts.windows.net/7f0a/", None),
        ("google", "https://accounts.google.com", None), ("oidc", "https://id.example.com/", None), ("oidc", "https://id.example.com", None),
    ],
)  # fmt: skip
def test_issuers_as_they_are_pass(examined, kind, issuer, domain):
    """Under domains of one's own too, which tell nothing."""
    changes = {**ELSEWHERE, "provider.kind": kind, "provider.issuer": issuer, "provider.domain": domain}
    examination = examined(changes)
    assert examination.settings is not None, examination.findings
    assert not [one for one in examination.findings if one.key.startswith("provider.")]


def test_a_known_provider_under_the_general_kind_is_noted(examined):
    """It signs in all the same, and its sign-out is known better."""
    changes = {**ELSEWHERE, "provider.kind": "oidc", "provider.issuer": "https://example.okta.com"}
    (note,) = [one for one in examined(changes).findings if one.key == "provider.kind"]
    assert (note.severity, "is Okta's" in note.what, "`kind: okta`" in note.fix) == (
        Severity.NOTE,
        True,
        True,
    )


def test_a_missing_secret_is_not_called_good(examined):
    """A client without one may be meant; who has one would find out at the first sign-in."""
    examination = examined({"provider.client_secret_file": None})
    assert examination.settings is not None
    (found,) = [one for one in examination.findings if one.key == "provider.client_secret"]
    assert (found.severity, "invalid_client" in found.what) == (Severity.WARNING, True)
    assert "set `client_secret_file`" in found.fix
    assert not [one for one in examined().findings if "client_secret" in one.key]
