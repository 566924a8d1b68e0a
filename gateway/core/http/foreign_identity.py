"""Headers by which other proxies tell applications who somebody is. An application may believe one that nobody in front
of it sets any more, so none passes from a client; ``headers.reserved`` adds more.
"""

from __future__ import annotations

_ONE_SPELLING = bytes(
    byte if chr(byte) in "0123456789abcdefghijklmnopqrstuvwxyz" else ord("-") for byte in range(256)
)


def one_spelling(name: bytes) -> bytes:
    """``name`` (lower-case) as it is compared, because applications read two names as one: CGI, WSGI and PHP put ``_``
    for ``-`` (CVE-2025-64484), PHP for ``.`` too, and some servers for whatever is neither letter nor digit.
    """
    return name.translate(_ONE_SPELLING)


NAMES = frozenset(
    {
        b"remote-user", b"remote-email", b"remote-groups", b"remote-name",  # Authelia, CGI
        b"x-remote-user", b"x-remote-group", b"x-remote-groups", b"x-remote-email", b"x-remote-name",  # Kubernetes
        b"x-auth-user", b"x-auth-username", b"x-auth-email", b"x-auth-groups", b"x-auth-roles", b"x-auth-name",
        b"x-authenticated-user", b"x-authenticated-userid", b"x-authenticated-groups", b"x-authenticated-scope",
        b"x-proxy-user", b"x-userinfo", b"x-id-token",  # Kong, APISIX
        b"x-credential-identifier", b"x-anonymous-consumer",
        b"iv-user", b"iv-user-l", b"iv-groups", b"iv-creds", b"iv-remote-address",  # IBM WebSEAL
        b"client-cert", b"client-cert-chain", b"x-client-cert", b"ssl-client-cert",  # RFC 9440 and before
    }
)  # fmt: skip
BEGINNINGS = (
    b"x-amzn-oidc-", b"x-amzn-mtls-clientcert", b"x-ms-client-principal", b"x-ms-token-",  # AWS, Azure
    b"x-goog-authenticated-user-", b"x-goog-iap-", b"cf-access-",  # Google, Cloudflare
    b"x-webauth-", b"x-remote-extra-", b"x-vouch-", b"x-pomerium-", b"x-authentik-", b"x-consumer-",
    b"oidc-claim-", b"oidc-access-token", b"oidc-id-token", b"tailscale-user-",  # mod_auth_openidc, Tailscale
    b"sm-user", b"sm-univ", b"oam-", b"shib-", b"x-ssl-client-", b"ssl-client-",  # SiteMinder, Oracle, Shibboleth
)  # fmt: skip
