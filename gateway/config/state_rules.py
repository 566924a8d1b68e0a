"""The third pass: the revocation log, where it is and how it is reached."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.fields import keys_of
from gateway.config.file_checks import check_directory
from gateway.config.remarks import Remark, Rule, error, note, rule, warning
from gateway.settings.addresses import is_local
from gateway.settings.model import Settings
from gateway.settings.state_urls import RedisUrl, SqliteUrl

_NEEDS_TLS = ("ca_file", "cert_file", "key_file")


@rule("state")
def _directory(settings: Settings) -> Iterator[Remark]:
    if isinstance(settings.state, SqliteUrl):
        purpose = "the gateway's user writes the revocation log there"
        yield from check_directory(("state",), settings.state.path.parent, purpose=purpose)


@rule("state_loss")
def _loss(settings: Settings) -> Iterator[Remark]:
    if settings.state_loss == "accept":
        what = "after the loss of the log, sessions that were signed out come alive again"
        yield warning("state_loss", what, "write `refuse`, unless that is what you mean")


@rule("state", "redis")
def _redis_without_redis(settings: Settings) -> Iterator[Remark]:
    if isinstance(settings.state, SqliteUrl):
        for name, key in keys_of(type(settings.redis)).items():
            if getattr(settings.redis, name) != key.default:
                what = "means nothing: `state` is a file of this host"
                yield warning(("redis", name), what, "remove it, or write a redis:// URL in `state`")


@rule("state", "redis.password")
def _password(settings: Settings) -> Iterator[Remark]:
    url = settings.state
    if not isinstance(url, RedisUrl):
        return
    if url.password is not None and settings.redis.password is not None:
        yield error("redis.password", "stands in `state` too", "take it out of the URL")
    if url.username and url.password is None and settings.redis.password is None:
        yield error("state", "names a user without a password", "set `redis.password_file`")


@rule("state", "redis")
def _tls(settings: Settings) -> Iterator[Remark]:
    url, redis = settings.state, settings.redis
    if not isinstance(url, RedisUrl):
        return
    given = [name for name in _NEEDS_TLS if getattr(redis, name) is not None]
    for name in given if not url.tls else ():
        what = "is for TLS, and `state` is reached without"
        yield error(("redis", name), what, "write rediss:// in `state`, or remove it")
    pair = {name for name in given if name != "ca_file"}
    if len(pair) == 1:
        missing = ({"cert_file", "key_file"} - pair).pop()
        yield error(f"redis.{pair.pop()}", f"needs `redis.{missing}` beside it", "add it, or remove both")
    if not url.tls and not all(is_local(host) or host in {"127.0.0.1", "::1"} for host, _ in url.hosts):
        what = "revocations and the password travel to Redis unencrypted"
        yield note("state", what, "write rediss://, unless nobody else is on that network")


@rule("state", "redis.spool")
def _spool(settings: Settings) -> Iterator[Remark]:
    if not isinstance(settings.state, RedisUrl):
        return
    directory = settings.redis.spool
    if directory is None:
        what = "revocations that Redis cannot take are kept in memory only, and are lost if the gateway ends then"
        yield note("state", what, "name a directory on a disk that outlives the process in `redis.spool`")
    else:
        purpose = "the gateway's user writes there what Redis cannot take"
        yield from check_directory(("redis", "spool"), directory, purpose=purpose)


RULES = tuple(each for each in list(vars().values()) if isinstance(each, Rule))
