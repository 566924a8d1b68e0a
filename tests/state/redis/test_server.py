"""The server is looked at before it is used: its release, what the user may do, what would lose entries."""

from __future__ import annotations

import pytest

from gateway.core.errors import ConfigurationError
from gateway.state.redis.faults import RIGHTS, CommandRefusedError
from gateway.state.redis.link import Link
from gateway.state.redis.place import RedisPlace
from gateway.state.redis.server import advice_on, examine, parse_info
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer
from tests.state.log_contract import ALICE, new
from tests.state.redis.test_log import opened

NEEDED = "+eval +info +time +hmget +hset +xadd +xrange +xrevrange +xlen +xtrim +xread +wait"


async def examined(place: RedisPlace) -> list[str]:
    """The codes of the advice."""
    link = Link(place)
    try:
        return [advice.code for advice in await examine(link)]
    finally:
        await link.close()


async def test_r05_settings_that_lose_entries_are_named(redis: RedisServer) -> None:
    """An eviction policy, and no append-only file; nothing where both are right."""
    assert await examined(redis.place()) == ["redis_forgets"]
    redis.ask("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
    redis.ask("CONFIG", "SET", "appendonly", "yes")
    assert await examined(redis.place()) == ["redis_evicts"]
    redis.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert await examined(redis.place()) == []


def test_advice_says_what_to_set() -> None:
    """And says nothing of what the server does not tell."""
    (advice,) = advice_on(parse_info("# Memory\r\nmaxmemory_policy:allkeys-lru\r\naof_enabled:1\r\n"))

    assert "allkeys-lru" in advice.what
    assert advice.fix == "set maxmemory-policy to noeviction"
    assert list(advice_on({})) == []


async def test_the_named_rights_are_enough(redis: RedisServer) -> None:
    """With them and its own keys a user can do everything that the log needs."""
    named = RIGHTS.replace("PREFIX", "gateway").split()
    redis.ask("ACL", "SETUSER", "gateway", "on", ">secret", *named)
    place = redis.place(username="gateway", password="secret", db=1)

    assert await examined(place) == ["redis_forgets"]
    async with opened(place) as log:
        assert (await log.append([new(ALICE)])).durable
        assert log.health().startswith("ok")
    link = Link(place)
    with pytest.raises(CommandRefusedError, match="NOPERM"):
        await link.ask(("FLUSHALL",), within=PATIENCE)
    await link.close()


@pytest.mark.parametrize("right", NEEDED.split())
async def test_a_missing_right_is_named(redis: RedisServer, right: str) -> None:
    """Each of them, at the start and not at the first logout."""
    others = [each for each in NEEDED.split() if each != right]
    redis.ask("ACL", "SETUSER", "gateway", "on", ">secret", "~{gateway}:*", *others)
    await examined(redis.place())
    redis.ask("HSET", "{gateway}:meta", "format", 1)
    with pytest.raises(ConfigurationError) as caught:
        await examined(redis.place(username="gateway", password="secret"))

    assert caught.value.code == "state_refused"
    assert right.removeprefix("+").upper() in caught.value.detail
    assert RIGHTS in caught.value.fix


async def test_the_wrong_keys_are_named(redis: RedisServer) -> None:
    """A user for another prefix."""
    redis.ask("ACL", "SETUSER", "gateway", "on", ">secret", "~{other}:*", "+@all")
    with pytest.raises(ConfigurationError, match="keys of the log"):
        await examined(redis.place(username="gateway", password="secret"))


async def test_keys_of_another_program_are_named(redis: RedisServer) -> None:
    """They are neither read nor overwritten."""
    redis.ask("SET", "{gateway}:meta", "mine")
    with pytest.raises(ConfigurationError) as caught:
        await examined(redis.place())

    assert caught.value.code == "state_foreign"
    assert redis.ask("GET", "{gateway}:meta") == b"mine"


async def test_looking_changes_nothing(redis: RedisServer) -> None:
    """No key is made."""
    await examined(redis.place())

    assert redis.ask("DBSIZE") == 0
