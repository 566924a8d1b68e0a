"""TLS on our own listener, with a certificate that can be replaced while it listens."""

from __future__ import annotations

import ssl

from gateway.settings.model import Settings
from gateway.settings.secret_files import context_of


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """What the listener speaks, None when it is plain. Raises as :func:`context_of`."""
    cert_file, key_file = settings.tls.cert_file, settings.tls.key_file
    return None if cert_file is None or key_file is None else context_of(cert_file, key_file)


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
