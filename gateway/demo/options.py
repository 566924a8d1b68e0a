"""What an emulator run is told from outside: names, ports, TLS, registrations."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gateway.demo.combinations import COMBINATIONS

CLIENT_ID = "demo-client"
CLIENT_SECRET = "demo-secret"  # noqa: S105 - published in the documentation; the gateway refuses it outside localhost
HOOK_SECRET = "demo-event-hook-secret"  # noqa: S105 - published and refused likewise
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """Where the emulators live and whom they know.

    The four URLs have no trailing slash; *cognito*, *issuer* and *okta* may share a port and are told apart by
    their Host. *federation* names a way to sign in (`combinations.py`). *client_secret* is the demo client's, at
    Cognito and at Okta; *hook_secret* is what Okta's event hook sends. *switches* are start values that override the
    table's defaults and those of *federation*. *cert_file* and *key_file* (PEM) put TLS on every listener, *ca_file*
    is trusted for the calls between the emulators. *listen* must be a loopback address. *callback_urls*,
    *sign_out_urls* and *trusted_origins* are registered beside those of *app*.
    Raises ValueError for anything else.
    """

    app: str = "http://app.localhost:8080"
    cognito: str = "http://cognito.localhost:8081"
    issuer: str = "http://cognito-idp.localhost:8081/eu-west-1_demo"
    okta: str = "http://okta.localhost:8082"
    client_secret: str = field(default=CLIENT_SECRET, repr=False)
    hook_secret: str = field(default=HOOK_SECRET, repr=False)
    federation: str = "saml"
    switches: Mapping[str, str | int | bool] = field(default_factory=dict)
    cert_file: str | None = None
    key_file: str | None = None
    ca_file: str | None = None
    listen: str = "127.0.0.1"
    callback_urls: tuple[str, ...] = ()
    sign_out_urls: tuple[str, ...] = ()
    trusted_origins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not ipaddress.ip_address(self.listen).is_loopback:
            raise ValueError(f"the emulators bind loopback only, not {self.listen}")
        if self.federation not in COMBINATIONS:
            raise ValueError(f"federation is one of {', '.join(COMBINATIONS)}, not {self.federation!r}")
        for url in (self.app, self.cognito, self.issuer, self.okta):
            if urlsplit(url).scheme not in DEFAULT_PORTS or url.endswith("/"):
                raise ValueError(f"{url!r} is not an http(s) URL without a trailing slash")
        if len({authority(url) for url in (self.cognito, self.issuer, self.okta)}) < 3:
            raise ValueError(
                "cognito, issuer and okta need a host (or port) each, as requests are told apart by Host"
            )

    @property
    def pool(self) -> str:
        """The user pool id: the last segment of the issuer."""
        return self.issuer.rsplit("/", 1)[1]

    @property
    def registered_callbacks(self) -> tuple[str, ...]:
        """Callback URLs of the demo client, at Cognito and at Okta."""
        return (f"{self.app}/oauth2/callback", *self.callback_urls)

    @property
    def registered_sign_outs(self) -> tuple[str, ...]:
        """Allowed sign-out URLs of the demo client at Cognito."""
        return (f"{self.app}/logout/done/cognito", *self.sign_out_urls)

    @property
    def okta_sign_outs(self) -> tuple[str, ...]:
        """Sign-out redirect URIs of the demo client at Okta, for those who sign in at Okta directly."""
        return (f"{self.app}/logout/done/oidc", *self.sign_out_urls)

    @property
    def origins(self) -> tuple[str, ...]:
        """Okta's trusted origins, scopes REDIRECT and CORS."""
        return (self.app, *self.trusted_origins)


def authority(url: str) -> str:
    """Return the Host header a client sends for *url*: no port where it is the scheme's default."""
    parts = urlsplit(url)
    if parts.port is None or parts.port == DEFAULT_PORTS[parts.scheme]:
        return parts.hostname or ""
    return f"{parts.hostname}:{parts.port}"


def port_of(url: str) -> int:
    """Return the port *url* names, or the default of its scheme."""
    parts = urlsplit(url)
    return parts.port or DEFAULT_PORTS[parts.scheme]
