"""Every row of the matrix, in real browsers: hop by hop, what the user sees, and what is dead afterwards (facts E.4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from _pytest.mark import ParameterSet

from gateway.web.pages.catalogue import message
from tests.browser.conftest import Programs
from tests.browser.driver import shows
from tests.browser.matrix import COMBINATIONS, Failure, Row, Window
from tests.browser.matrix_rows import ROWS
from tests.browser.matrix_walk import WALKS, Visit
from tests.browser.matrix_world import World, Worlds
from tests.browser.person import (
    APPLICATION,
    SESSION_COOKIE,
    Person,
    never_shows_the_application,
    replayed,
)
from tests.fakes.patience import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def _run(row: Row, window: Window, *, here: bool) -> ParameterSet:
    marks = [pytest.mark.xdist_group(f"{window.program}-matrix"), *([] if here else [pytest.mark.large])]
    return pytest.param(row, window, id=f"{row.id}-{window.name.lower().replace('_', '-')}", marks=marks)


RUNS = [
    _run(row, window, here=place == at % len(row.windows))
    for at, row in enumerate(ROWS)
    for place, window in enumerate(row.windows)
]
"""``make test`` tries each row in one of its windows, in turn; ``make windows`` in all the others."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def worlds(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Worlds]:
    made = Worlds(tmp_path_factory.mktemp("matrix"))
    yield made
    await made.close()


@pytest.mark.parametrize(("row", "window"), RUNS)
async def test_a_row(row: Row, window: Window, programs: Programs, worlds: Worlds) -> None:
    """The gateway sends the browser where it should, the receipt claims what was seen, and nothing is left alive."""
    world = await worlds.world(COMBINATIONS[row.combination])
    browser = await programs.started(window.program)
    profile = await browser.profile(window.mode)
    try:
        visit = await Visit.begun(world, Person(world.stand, profile), row)
        assert world.sessions(), "somebody is signed in"
        world.tap.heard.clear()
        if row.failure is Failure.REVOCATION:
            world.break_revocation()
        tab = await WALKS[row.failure](visit)
        assert await visit.receipt(tab) == {
            message("page.this_application"): message("line.ended"),
            **dict(zip(world.combination.labels, row.chips, strict=True)),
        }
        assert tuple(world.moves()) == row.moves
        await is_over(world, row, visit)
    finally:
        await profile.close()


async def is_over(world: World, row: Row, visit: Visit) -> None:
    """The post-conditions: cookies, sessions at the providers, the refresh token, and what a new visit shows."""
    assert await replayed(world.stand, visit.copied) == 401
    assert world.sessions() == row.alive
    async with asyncio.timeout(PATIENCE):  # beside the last hops, and after the one that its provider has
        while world.refresh_tokens() != [row.revoked]:
            await asyncio.sleep(0.02)
    again = await visit.person.tab("/reports/3")
    if row.asked:
        await visit.is_asked(again)
    else:
        await shows(again, APPLICATION)
        return
    await never_shows_the_application(again, during=0.1)
    assert SESSION_COOKIE not in await again.cookies()
