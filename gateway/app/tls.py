"""TLS on our own listener, with a certificate that can be replaced while it listens."""

from __future__ import annotations

import ssl
from pathlib import Path

from gateway.core.errors import ConfigurationError
from gateway.settings.model import Settings


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """What the listener speaks, None when it is plain. Raises as :func:`context_of`."""
    cert_file, key_file = settings.tls.cert_file, settings.tls.key_file
    return None if cert_file is None or key_file is None else context_of(cert_file, key_file)


def context_of(cert_file: Path, key_file: Path) -> ssl.SSLContext:
    """TLS 1.2 and later with this certificate.

    :raises ConfigurationError: certificate and key cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # The password is for keys that have one: OpenSSL would ask for it at the terminal.
        context.load_cert_chain(cert_file, key_file, password="")
    except OSError as error:
        cause = getattr(error, "reason", None) or error.strerror or str(error)
        what = f"{cert_file} and {key_file} cannot be used ({cause})"
        fix = "give a certificate chain and its private key, both in PEM and without a passphrase"
        raise ConfigurationError("bad_certificate", what, fix=fix) from None
    return context


class Renewable:
    """What a listener speaks TLS with; every handshake takes the latest context there is when it begins.

    The listener keeps the first one. OpenSSL lets a handshake go over to another when the client has said hello,
    whether that names a host or not. Connections that stand keep what they began with.

    :ivar context: for the listener.
    """

    def __init__(self, first: ssl.SSLContext) -> None:
        self.context = self._latest = first
        first.sni_callback = self._begin

    def replace(self, latest: ssl.SSLContext) -> None:
        """Take ``latest`` for the handshakes to come."""
        self._latest = latest

    def _begin(self, handshake: ssl.SSLObject, _host: str | None, _first: ssl.SSLContext) -> None:
        if handshake.context is not self._latest:
            handshake.context = self._latest
