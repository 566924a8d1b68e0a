"""The forward proxy through which the provider is reached."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from gateway.settings.addresses import Origin, parse_any_origin
from gateway.settings.bad_value import BadValueError, quoted
from gateway.settings.secret_files import Secret


@dataclass(frozen=True, slots=True)
class ProxyUrl:
    """A forward proxy, with the name and password that it asks for, if it does."""

    origin: Origin
    user: str = ""
    password: Secret | None = None

    def __str__(self) -> str:
        return self.origin


def parse_proxy(value: object) -> ProxyUrl | None:
    """``http://proxy.example.com:3128``, with ``user:password@`` before the host where it asks; ``none`` for none."""
    fix = "write http://host:port, or `none`; proxies for SOCKS, and over TLS, are not spoken to"
    if value in ("none", ""):
        return None
    scheme, mark, rest = value.rpartition("://") if isinstance(value, str) else ("", "", "")
    userinfo, _, host = rest.rpartition("@")
    user, _, password = map(unquote, userinfo.partition(":"))
    if mark and scheme != "http":
        raise BadValueError(f"is no proxy of a kind that is known: {quoted(scheme)}", fix)
    if not isinstance(value, str) or not (user + password).isprintable() or ":" in user:
        raise BadValueError("is not the address of a proxy", fix)
    try:
        origin = parse_any_origin(f"http://{host}")
    except BadValueError:
        raise BadValueError("is not the address of a proxy", fix) from None
    return ProxyUrl(origin, user, Secret(password) if password else None)
