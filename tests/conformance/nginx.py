"""A live nginx beside the door, as the witness of another hand."""

from __future__ import annotations

import contextlib
import socket
import time
from dataclasses import dataclass

from tests.conformance.recorder import Call, Recorder

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

    def forwards(self, data: bytes, seconds: float = 0.15) -> list[Call]:
        """What reaches the application when a client sends ``data`` and no more.

        :param seconds: to wait for more answers.
        """
        before = len(self.upstream.calls)
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=seconds)
        with sock, contextlib.suppress(ConnectionError, TimeoutError):
            sock.sendall(data)
            while sock.recv(1 << 16):
                pass
        time.sleep(0.005)
        return self.upstream.calls[before:]
