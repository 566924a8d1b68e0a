"""A live nginx beside the door, as the witness of another hand."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass

from tests.conformance.recorder import Call, Recorder
from tests.fakes.patience import PATIENCE

RECIPE = """
server {
    listen 127.0.0.1:PORT;
    ignore_invalid_headers off;
    client_max_body_size 0;
    large_client_header_buffers 8 64k;
    lingering_close off;
    location / {
        proxy_pass UPSTREAM;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header Connection "";
        proxy_request_buffering off;
    }
}
"""


@dataclass(frozen=True)
class LiveNginx:
    """Where it is, and the application behind it."""

    port: int
    upstream: Recorder

    def forwards(self, data: bytes, more: float = 0.1) -> list[Call]:
        """What reaches the application when a client sends ``data``, which nginx answers, and no more.

        :param more: seconds in which whatever nginx would make of it besides shows itself.
        """
        before = len(self.upstream.calls)
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as sock:
            sock.sendall(data)
            assert sock.recv(1 << 16), "nginx answers a request, or refuses it in words"
            sock.settimeout(more)
            with contextlib.suppress(ConnectionError, TimeoutError):
                while sock.recv(1 << 16):
                    pass
        return self.upstream.calls[before:]
