"""Where the revocation log is: a file of this host, or a Redis that several hosts share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from gateway.settings.addresses import is_host
from gateway.settings.bad_value import BadValueError, quoted
from gateway.settings.secret_files import Secret

_SQLITE_FIX = "write sqlite:///absolute/path, such as sqlite:///var/lib/gateway/state.db"
_REDIS_FIX = (
    "write redis://host:6379/0, redis+sentinel://host:26379,host:26379/service, or redis+cluster://host:6379;"
    " with rediss in front for TLS"
)
_REDIS = re.compile(
    r"(?P<scheme>rediss?)(\+(?P<kind>sentinel|cluster))?://"
    r"((?P<user>[^:@/]*)(:(?P<password>[^@/]*))?@)?(?P<hosts>[^@/]+)(?P<path>/[^?#]*)?",
    re.ASCII,
)
_SERVICE = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_PREFIX = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)
_PORTS = {"single": 6379, "sentinel": 26379, "cluster": 6379}


@dataclass(frozen=True, slots=True)
class SqliteUrl:
    """``sqlite`` and the absolute path of the file."""

    path: Path

    def __str__(self) -> str:
        return f"sqlite://{self.path}"


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """A Redis server, the Sentinels that know it, or nodes of a cluster.

    :ivar kind: which of the three ``hosts`` are. :ivar master: the service's name, for Sentinels.
    """

    hosts: tuple[tuple[str, int], ...]
    kind: Literal["single", "sentinel", "cluster"] = "single"
    master: str = ""
    db: int = 0
    tls: bool = False
    username: str = ""
    password: Secret | None = None

    def __str__(self) -> str:
        scheme = ("rediss" if self.tls else "redis") + ("" if self.kind == "single" else f"+{self.kind}")
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        path = {"single": f"/{self.db}", "sentinel": f"/{self.master}/{self.db}", "cluster": ""}[self.kind]
        return f"{scheme}://{hosts}{path}"


def parse_state(value: object) -> SqliteUrl | RedisUrl:
    """``sqlite:///var/lib/gateway/state.db``: three slashes, the third begins the absolute path; or a Redis URL."""
    if isinstance(value, str) and value.startswith("redis"):
        return _redis(value)
    if not isinstance(value, str) or not value.startswith("sqlite:"):
        raise BadValueError("is not the address of a state log", f"{_SQLITE_FIX}; or {_REDIS_FIX}")
    path = value.removeprefix("sqlite:")
    if not path.startswith("///"):
        raise BadValueError(f"{quoted(value)} is not an absolute path", _SQLITE_FIX)
    if path.endswith("/") or "?" in path or "\0" in path:
        raise BadValueError(f"{quoted(value)} does not name a file", _SQLITE_FIX)
    return SqliteUrl(Path("/" + path.lstrip("/")))


def parse_prefix(value: object) -> str:
    """What the names of the keys in Redis begin with."""
    if not isinstance(value, str) or not _PREFIX.fullmatch(value):
        raise BadValueError(f"{quoted(value)} is no prefix for keys", "write letters, digits and . _ : -")
    return value


def _redis(value: str) -> RedisUrl:
    # Nothing of the value is repeated in a finding: a password may stand in any part of what cannot be read.
    found = _REDIS.fullmatch(value) if value.isprintable() and " " not in value else None
    if found is None:
        raise BadValueError("is not a Redis URL", _REDIS_FIX)
    kind: Literal["single", "sentinel", "cluster"] = "single"
    if found["kind"] is not None:
        kind = "sentinel" if found["kind"] == "sentinel" else "cluster"
    hosts = tuple(_host(each, _PORTS[kind]) for each in found["hosts"].split(","))
    if kind == "single" and len(hosts) > 1:
        what = "names several hosts, which only Sentinels and clusters are"
        raise BadValueError(what, "write redis+sentinel:// or redis+cluster://")
    master, db = _path(kind, (found["path"] or "").removeprefix("/").removesuffix("/"))
    password = Secret(unquote(found["password"])) if found["password"] else None
    return RedisUrl(
        hosts, kind, master, db, found["scheme"] == "rediss", unquote(found["user"] or ""), password
    )


def _host(text: str, default: int) -> tuple[str, int]:
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::([0-9]{1,5}))?", text)
    plain = bracketed or re.fullmatch(r"([^:\[\]]*)(?::([0-9]{1,5}))?", text)
    if plain is not None:
        name, port = plain[1].lower(), int(plain[2] or default)
        if is_host(name) and (":" in name) == (bracketed is not None) and 0 < port < 65536:
            return name, port
    raise BadValueError("has a host or port that cannot be read", _REDIS_FIX)


def _path(kind: str, path: str) -> tuple[str, int]:
    """The service's name and the number of the database."""
    master, slash, number = path.partition("/")
    if kind != "sentinel":
        master, slash, number = "", path, path
    elif not _SERVICE.fullmatch(master):
        fix = "write redis+sentinel://host:26379/service, with the name that `sentinel monitor` has"
        raise BadValueError("names no service for the Sentinels", fix)
    if kind == "cluster" and path:
        raise BadValueError("names a database, which a cluster has not", "write redis+cluster://host:6379")
    if slash and not re.fullmatch(r"[0-9]{1,4}", number):
        raise BadValueError("has something else than the number of a database at its end", _REDIS_FIX)
    return master, int(number) if slash else 0
