"""The ways an application's people can sign in through Cognito, Okta or both: what the emulators and the gateway need.

Each sign-in has a sign-out of its own, so whoever tries one tries the five of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_COGNITO = """\
provider:
  kind: cognito
  issuer: {issuer}
  domain: {cognito}
  client_id: {client_id}
  client_secret_file: client-secret
"""
_BEHIND = """\
  identity_provider: Okta
  linked_providers: {{"{okta}": Okta}}
"""
_OKTA = """\
provider:
  kind: okta
  issuer: {okta}
  client_id: {client_id}
  client_secret_file: client-secret
  scopes: [openid, email, profile, groups, offline_access]
"""
_BY_CERTIFICATE = """\
inbound:
  universal_logout: {{issuer: "{okta}", subject: 0oa1cognitosaml00d7, certificate_file: okta-saml.pem}}
  okta_event_hook: {{issuer: "{okta}", secret_file: okta-hook-secret}}
"""
_BY_KEY_SET = """\
inbound:
  universal_logout: {{issuer: "{okta}", subject: 0oa1cognito0demo0d7, jwks_uri: "{okta}/oauth2/v1/keys"}}
  okta_event_hook: {{issuer: "{okta}", secret_file: okta-hook-secret}}
"""
_FROM_OKTA = """\
inbound:
  frontchannel: true
  universal_logout: {{issuer: "{okta}", subject: {client_id}, jwks_uri: "{okta}/oauth2/v1/keys"}}
  security_events: {{issuer: "{okta}", audience: "{app}", jwks_uri: "{okta}/oauth2/v1/keys"}}
  okta_event_hook: {{issuer: "{okta}", secret_file: okta-hook-secret}}
"""
_HUB = 'cognito, {{okta_signout: "{okta}"}}'


@dataclass(frozen=True, slots=True)
class Combination:
    """One way to sign in.

    *provider* and *inbound* (sections), *chain* (inside its brackets) and *headers* (inside its braces) are pieces of
    the gateway's configuration with names to be filled in; *switches* are what the emulators need.
    """

    sentence: str
    provider: str
    chain: str
    inbound: str = ""
    headers: str = "user: email"
    switches: Mapping[str, str | bool] = field(default_factory=dict)

    def pieces(self, **names: str) -> dict[str, str]:
        """Return the pieces by what they are called here, with *names* filled in."""
        pieces = {
            "provider": self.provider,
            "inbound": self.inbound,
            "chain": self.chain,
            "headers": self.headers,
        }
        return {what: piece.format(**names) for what, piece in pieces.items()}


COMBINATIONS: Mapping[str, Combination] = MappingProxyType(
    {
        "saml": Combination(
            "Cognito asks Okta by SAML; sign-out leads to Cognito, then to Okta.",
            _COGNITO + _BEHIND,
            _HUB,
            _BY_CERTIFICATE,
            switches={"federation": "saml"},
        ),
        "slo": Combination(
            "Cognito asks Okta by SAML, and takes the sign-out on to Okta by SAML single logout.",
            _COGNITO + _BEHIND,
            "cognito",
            _BY_CERTIFICATE,
            switches={"federation": "saml", "idp_signout": True, "okta_slo": True},
        ),
        "oidc": Combination(
            "Cognito asks Okta by OpenID Connect; sign-out leads to Cognito, then to Okta.",
            _COGNITO + _BEHIND,
            _HUB,
            _BY_KEY_SET,
            switches={"federation": "oidc"},
        ),
        "okta": Combination(
            "No Cognito: the gateway signs in and out at Okta by OpenID Connect.",
            _OKTA,
            'oidc, {{okta_signout: "{okta}"}}',
            _FROM_OKTA,
            headers="user: email, groups: groups",
            switches={"front_channel_logout": True},
        ),
        "cognito": Combination(
            "No Okta: Cognito's own people, with passwords at Cognito.",
            _COGNITO,
            "cognito",
            switches={"federation": "none"},
        ),
    }
)
