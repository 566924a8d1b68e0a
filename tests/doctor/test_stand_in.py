"""The doctor in the application's place, behind each real proxy: what it is handed there, and the line that is missing."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from gateway.doctor.patient import Discovered, Patient
from gateway.doctor.probe import Probe
from gateway.doctor.recipe_lines import LINES
from gateway.doctor.stand_in import handed_on
from gateway.doctor.verdict import Observation
from gateway.settings.addresses import parse_upstream
from tests.doctor.deployment import FAILED, OK, UNKNOWN, WARNING
from tests.doctor.test_walk import AT_APPLICATION, without
from tests.flows.front import CALLERS, OVER_GRPC, Front, fronted


async def seen(front: Front, port: int, where: str = "") -> list[Observation]:
    """What the check says, where the application's address is that of the proxy's configuration."""
    settings = front.stand.gateway.settings
    url = parse_upstream(f"http://127.0.0.1:{port}", Path("/"))
    patient = Patient(
        settings=replace(settings, upstreams=(replace(settings.upstreams[-1], path="/", url=url),)),
        discovered=Discovered(),
        probe=Probe(resolve={"app.localhost": "127.0.0.1"}),
        front=where or front.app,
    )
    return [observation async for observation in handed_on.look(patient)]


@pytest.mark.parametrize("caller", [*CALLERS, OVER_GRPC])
async def test_what_the_application_is_handed_names_the_line_that_is_missing(
    tmp_path: Path, caller: str
) -> None:
    """While it runs nothing can be seen; with the recipe whole all is well, but for what Traefik cannot do."""
    renews = ", renews_cookies: true" if caller == "traefik" else ""
    async with fronted(tmp_path, caller=caller, asked=renews) as front:
        port = front.application.port
        (running,) = await seen(front, port)
        assert running.verdict is UNKNOWN
        assert "stop the application" in running.fix
        await front.application.close()
        (elsewhere,) = await seen(front, port, "http://other.localhost:1")
        assert elsewhere.verdict is UNKNOWN
        log = front.stand.gateway.log
        before = (log.log_id, log.index.position)
        whole = await seen(front, port)
        assert len(whole) == 6 + (caller in {"traefik", OVER_GRPC})
        assert [each.what for each in whole if each.verdict is not OK] == [
            each.what for each in whole if caller == "traefik" and each.verdict is WARNING
        ]
        for line in (line for purpose in sorted(AT_APPLICATION) for line in LINES[purpose].get(caller, ())):
            if (
                line == "authResponseHeadersRegex:"
            ):  # the key of a long text, which stands for nothing without it
                continue
            await front.exchange(partial(without, (line,)))
            found = [each for each in await seen(front, port) if each.verdict is FAILED]
            assert [each for each in found if f"`{line}`" in each.fix], (line, found)
        assert (log.log_id, log.index.position) == before
