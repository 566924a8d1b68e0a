"""What is kept of the provider, of those who send events, and of the workers, filled with the largest that gets in."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from random import Random
from typing import Any, cast

from gateway.idp.poll import Poller
from gateway.idp.provider import ProviderOptions
from gateway.idp.remote_keys import RemoteKeys
from gateway.idp.transport import MAX_BODY
from gateway.oidc.events.poll import MAX_SETS, parse_poll
from gateway.oidc.events.security_event import Refusal
from gateway.oidc.jose.jwks import MAX_KEYS, MAX_KID, parse_key_set
from gateway.oidc.providers.descriptor import ProviderKind
from gateway.oidc.wire import ProviderRequest, ProviderResponse
from gateway.workers.desk import Noticeboard
from gateway.workers.slots import Slot
from tests.bounds.listed import fills, stated

Measured = Callable[[], int]
FACE = "\U0001f600"


@fills("idp/poll.py _done", "idp/poll.py _refused")
async def test_events_of_one_answer(measured: Measured) -> None:
    """The largest answer there is, of as many events as are taken, whose names make each character 4 bytes."""
    size = MAX_BODY // MAX_SETS - 20
    sets = {f"{at}{FACE}".ljust(size - 8, "n"): "" for at in range(MAX_SETS)}
    body = json.dumps({"sets": sets}, ensure_ascii=False).encode()
    assert MAX_BODY * 0.9 < len(body) <= MAX_BODY
    del sets
    for refused, place in ((None, "_done"), (Refusal("token_rejected", "d" * 200), "_refused")):

        async def receive(_: str, refused: Refusal | None = refused) -> Refusal | None:
            return refused

        made = Poller(cast("Any", None), "", "", receive=receive, turn=cast("Any", None))
        before = measured()
        await made._take_in(parse_poll(ProviderResponse(200, {"content-type": "application/json"}, body)))
        assert len(made._done) + len(made._refused) == MAX_SETS
        assert measured() - before <= stated(f"idp/poll.py {place}")


@fills("app/inbound.py _fetched")
def test_key_sets(measured: Measured) -> None:
    """As many and as large keys as are taken."""
    chance = Random(1)

    def number(bits: int) -> str:
        value = chance.getrandbits(bits) | 1 | 1 << (bits - 1)
        return base64.urlsafe_b64encode(value.to_bytes(bits // 8)).rstrip(b"=").decode()

    keys = [
        {
            "kty": "RSA",
            "kid": f"{at}".ljust(MAX_KID, "k"),
            "use": "sig",
            "alg": "RS256",
            "n": number(8_192),
            "e": "AQAB",
        }
        for at in range(2 * MAX_KEYS)
    ]
    body = json.dumps({"keys": keys}).encode()
    assert len(body) < MAX_BODY
    del keys
    made = RemoteKeys(cast("Any", None))
    before = measured()
    made._known = parse_key_set(ProviderResponse(200, {"content-type": "application/json"}, body))
    assert measured() - before <= stated("app/inbound.py _fetched")


@fills(
    "app/inbound.py paths", "app/inbound.py watched", "idp/provider.py resolve", "oidc/providers/descriptor.py prompts", "oidc/wire.py headers",
    "workers/desk.py _report", "workers/slots.py report",
)  # fmt: skip
def test_what_is_configured_or_said_among_us(measured: Measured) -> None:
    """A few lines each."""
    before = measured()
    paths = {f"/oauth2/{at}" + "p" * 50: {"POST": at} for at in range(100)}
    assert measured() - before <= 100 * stated("app/inbound.py paths")
    before = measured()
    watched = [[f"{at}" + "f" * 200] for at in range(100)]
    assert measured() - before <= 100 * stated("app/inbound.py watched")
    before = measured()
    options = ProviderOptions(
        kind="oidc",
        issuer="i",
        client_id="c",
        resolve={f"h{at}" + "h" * 250: "2001:db8::1" for at in range(100)},
    )
    assert measured() - before <= 100 * stated("idp/provider.py resolve")
    before = measured()
    kind = ProviderKind(name="google", console="", sign_in=("", ""), prompts={"login": "select_account"})
    assert measured() - before <= stated("oidc/providers/descriptor.py prompts")
    before = measured()
    request = ProviderRequest(
        "POST", "", {"authorization": f"Bearer {len(paths)}" + "t" * 8_000, "accept": "application/json"}
    )
    assert measured() - before <= stated("oidc/wire.py headers")
    before = measured()
    board = Noticeboard()
    board.write(
        json.loads(
            json.dumps(
                {"details": {f"{at}": f"{at}" + "w" * 1_000 for at in range(20)}, "workers": "w" * 200}
            )
        )
    )
    assert measured() - before <= stated("workers/desk.py _report")
    before = measured()
    slots = [
        Slot(f"w{at}", cast("Any", None), report={"ready": True, "details": {"log": f"ok{at}"}})
        for at in range(100)
    ]
    assert measured() - before <= 100 * stated("workers/slots.py report")
    assert all((paths, watched, options, kind, request, board, slots))
