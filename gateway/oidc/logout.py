"""Where a browser is sent to end its session at the provider: one small class per way, all from
configuration.

No URL of the request ever enters here (rule: named targets only), and the return address carries no state:
Cognito matches it byte for byte and appends nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.oidc.providers import origin
from gateway.oidc.urls import with_query


@dataclass(frozen=True, slots=True)
class CognitoSignout:
    """Cognito's own ``/logout``: it takes ``client_id`` and ``logout_uri`` and ignores OIDC's parameters.

    :ivar domain: origin of the hosted UI.
    """

    domain: str
    client_id: str

    def url(self, return_to: str) -> str:
        """The hop. ``return_to`` must be an allowed sign-out URL of the client, equal to the last byte.

        :raises ConfigurationError: the domain is not an https origin.
        """
        base = origin(self.domain, "provider.domain")
        return with_query(f"{base}/logout", [("client_id", self.client_id), ("logout_uri", return_to)])


@dataclass(frozen=True, slots=True)
class OktaSignout:
    """Okta's ``/login/signout``: ends the browser's Okta session, no token needed.

    :ivar org: origin of the Okta organisation, or its custom domain.
    """

    org: str

    def url(self, return_to: str) -> str:
        """The hop. The origin of ``return_to`` must be a Trusted Origin with Redirect, or the browser stays
        at Okta.

        :raises ConfigurationError: the organisation is not an https origin.
        """
        base = origin(self.org, "logout.chain okta_signout")
        return with_query(f"{base}/login/signout", [("fromURI", return_to)])
