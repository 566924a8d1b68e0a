"""What processes hand each other of a session is for those alone that have an earlier generation of it."""

from __future__ import annotations

import pytest

from gateway.core.session.sealing import Deployment, KeyRing, SealingKey
from gateway.core.session.ticket import issued
from gateway.web.session import refresh
from gateway.web.session.successors import Successors
from tests.fakes.refreshing import ISSUER, World, settled, signed_in


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, at) -> World:
    monkeypatch.setattr(refresh, "LOOK_ANEW", 0.0)
    return World()


def successors(key: int = 0, client: str = "client") -> Successors:
    ring = KeyRing([SealingKey.of(bytes(range(key, key + 32)))], now=0)
    return Successors(ring, Deployment("https://app.example", ISSUER, client))


def test_it_opens_for_the_same_session_deployment_and_key() -> None:
    """And for nobody else."""
    later = signed_in(generation=1)
    box = successors().sealed(later, 0)

    assert successors().opened("sid", None, box, 0) == later
    assert successors().opened("other", None, box, 0) is None
    assert successors(key=1).opened("sid", None, box, 0) is None
    assert successors(client="other").opened("sid", None, box, 0) is None
    assert successors().opened("sid", None, box[:-1], 0) is None


async def test_r10_the_successor_of_a_session_with_a_ticket_opens_by_its_secret_alone(world: World) -> None:
    """What the replicas share of a refresh is no easier to read than what is kept of the session."""
    old = issued(signed_in())
    world.request(0, old)
    await settled()
    box = world.store.of("sid").sealed or b""
    assert box
    assert world.replicas[1]._successors.opened("sid", None, box, 0) is None
    world.request(1, old)
    await settled()
    adopted = world.request(1, old)

    assert adopted is not None
    assert (adopted.generation, adopted.ticket) == (1, old.ticket)
    latest = await world.replicas[1].latest("sid", 0, old.ticket)
    assert latest is not None
    assert latest.refresh_token == "token-1"
