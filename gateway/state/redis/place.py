"""Where a log in Redis is, and how to come in. Light: naming a place connects to nothing."""

from __future__ import annotations

import binascii
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gateway.core.errors import ConfigurationError

Address = tuple[str, int]

SLOTS = 16_384


class Login:
    """The password, for all connections of a process: a new one is shown by every connection that begins after it.

    :ivar passwords: the latest, and the one before it where there is one; that is shown to a server that does not know
        the latest, for a password is not replaced everywhere in the same moment.
    """

    def __init__(self, password: str) -> None:
        self.passwords: tuple[str, ...] = (password,)

    def replace(self, password: str) -> None:
        """Show ``password`` from now on. Connections that stand go on."""
        if password != self.passwords[0]:
            self.passwords = (password, self.passwords[0])


@dataclass(frozen=True, slots=True)
class RedisPlace:
    """A deployment's log.

    :ivar kind: `single`: `hosts` is the one server. `sentinel`: `hosts` are Sentinels, which know the primary of the
        service `master`. `cluster`: `hosts` are any nodes, which know the primary of the log's slot.
    :ivar username: for Redis, and for Sentinels that ask for one; empty: the default user.
    :ivar password: to begin with; ``login`` has the one of now.
    :ivar ca_file: certificates to trust instead of the system's. :ivar cert_file: shown to servers that ask for one.
    :ivar prefix: begins the names of all keys, in braces, so that a cluster keeps them in one slot.
    """

    hosts: tuple[Address, ...]
    kind: Literal["single", "sentinel", "cluster"] = "single"
    master: str = ""
    db: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    prefix: str = "gateway"
    login: Login = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "login", Login(self.password))

    def __str__(self) -> str:
        hosts = ",".join(host_port(host) for host in self.hosts)
        return f"{hosts} ({self.kind} {self.master})" if self.master else hosts

    @property
    def meta_key(self) -> str:
        """The hash with the log's id and how far it is."""
        return f"{{{self.prefix}}}:meta"

    @property
    def log_key(self) -> str:
        """The stream with the entries."""
        return f"{{{self.prefix}}}:log"

    @property
    def slot(self) -> int:
        """The cluster's slot of all our keys: the CRC16 of what is in braces (Redis Cluster specification)."""
        return binascii.crc_hqx(self.prefix.encode(), 0) % SLOTS

    def tls_context(self) -> ssl.SSLContext | None:
        """TLS 1.2 and later with certificate and name verified; None where TLS is not asked for.

        :raises ConfigurationError: a file cannot be used.
        """
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if self.cert_file is not None:
                # The password is for keys that have one: OpenSSL would ask for it at the terminal.
                context.load_cert_chain(self.cert_file, self.key_file, password="")
        except OSError as error:
            cause = getattr(error, "reason", None) or error.strerror or str(error)
            raise ConfigurationError(
                "bad_certificate",
                f"the certificates for Redis cannot be used ({cause})",
                fix="give certificates and key in PEM, the key without a passphrase",
            ) from None
        return context


def host_port(address: Address) -> str:
    """`host:port`, with brackets where they are needed."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
