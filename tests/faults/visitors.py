"""People who sign in, ask and sign out, and what each of them was told: against what is held afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, Protocol

import aiohttp

from tests.fakes.browser import Browser, Seen
from tests.fakes.patience import PATIENCE

PATH = "/api/who"
"""Answers with who asks, as the gateway says it."""
FRESH = 5.0
"""Seconds after which a sign-out has come to every place, if nothing is wrong."""
REPLAYED = 2_000
"""Dead cookies that are tried at each place in the end, where there are more than so many."""
PEOPLE = ("alice@example.com", "bob@example.com")
TROUBLE = (aiohttp.ClientError, OSError, EOFError, TimeoutError)
"""Of who asks something that is killed, held still or not there."""


class Stand(Protocol):
    """Where gateways run. ``app``: the public URL. ``places``: those that can be asked one by one. ``renewed``: when, by
    the loop's time, they were to forget all sign-ins.
    """

    app: str
    renewed: float

    @property
    def places(self) -> Sequence[str]: ...

    def browser(self) -> Browser:
        """One that has never been here."""

    async def status(self, cookie: str) -> int:
        """Of a fetch with this Cookie header, by whoever gets it."""

    async def statuses(self, place: str, cookies: Sequence[str]) -> list[int]:
        """The same of each, by this one."""

    async def well(self) -> None:
        """Wait until everything that waited has arrived."""


@dataclass(eq=False)
class Visitor:
    """One sign-in. ``fate``: ended is whoever was told so; unclear, whoever was told nothing. ``since``: the loop's time.

    ``left``: when it was told so.
    """

    person: str
    browser: Browser
    cookie: str
    user: str
    fate: Literal["alive", "unclear", "ended"] = "alive"
    durable: bool = False
    since: float = 0.0
    left: float = 0.0


@dataclass
class Crowd:
    """Everybody, and what was counted.

    :ivar patient: come again as a page says that cannot serve anybody yet. :ivar wrong: what must never be, in words.
    :ivar trouble: why somebody got no answer.
    """

    stand: Stand
    seed: int = 0
    patient: bool = False
    alive: list[Visitor] = field(default_factory=list)
    ended: list[Visitor] = field(default_factory=list)
    users: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    trouble: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    async def sign_in(self) -> Visitor | None:
        """Somebody; None where that did not come to its end."""
        person = self.chance.choice(PEOPLE)
        browser = self.stand.browser()
        try:
            page = await self._signed_in(browser, person)
        except (*TROUBLE, AssertionError):
            page = None
        if page is None or page.status != 200 or page.path != PATH:
            self.counts["not signed in"] += 1
            await browser.close()
            return None
        self.counts["signed in"] += 1
        cookie = browser.cookie_header(self.stand.app)
        since = asyncio.get_running_loop().time()
        visitor = Visitor(person, browser, cookie, self.users.setdefault(person, page.text), since=since)
        self._look_who(visitor, page.text)
        self.alive.append(visitor)
        return visitor

    async def _signed_in(self, browser: Browser, person: str) -> Seen | None:
        if self.patient:
            return await browser.sign_in(self.stand.app + PATH, user=person)
        form = await browser.goto(self.stand.app + PATH)
        return (
            await browser.submit(form, username=person, password="demo") if form.asks_for_password else None
        )

    async def _served(self, ask: Callable[[], Awaitable[Seen]]) -> Seen:
        async with asyncio.timeout(PATIENCE):
            while (seen := await ask()).status == 503 and self.patient:
                await asyncio.sleep(0.1)
        return seen

    def _look_who(self, visitor: Visitor, said: str) -> None:
        others = {user for person, user in self.users.items() if person != visitor.person}
        if said != visitor.user or said in others:
            self.wrong.append(f"{visitor.person} was taken for somebody else")
            self.counts["wrong identity"] += 1

    async def ask(self, visitor: Visitor) -> int:
        """Something; the status, 0 where nobody answered."""
        try:
            seen = await self._served(partial(visitor.browser.fetch, self.stand.app + PATH))
        except TROUBLE as error:
            if visitor.fate == "alive":  # else it has gone home meanwhile, and closed its browser
                self.counts["not answered"] += 1
                self.trouble[f"{type(error).__name__}: {error}"[:120]] += 1
            return 0
        self.counts["asked"] += 1
        if seen.status == 200:
            self._look_who(visitor, seen.text)
        elif seen.status >= 500:
            self.counts["not served"] += 1
        return seen.status

    async def sign_out(self, visitor: Visitor) -> None:
        """And read the receipt. Whoever got no answer was told nothing."""
        self.alive.remove(visitor)
        visitor.fate = "unclear"
        app = self.stand.app
        try:
            answer = await visitor.browser.navigate(
                f"{app}/logout", method="POST", body="", site="same-origin"
            )
            if answer.status == 303:
                visitor.fate = "ended"
                visitor.left = asyncio.get_running_loop().time()
                self.ended.append(visitor)
                receipt = await visitor.browser.fetch(f"{app}/logged-out", Accept="application/json")
                visitor.durable = receipt.status == 200 and json.loads(receipt.text)["durable"] is True
        except TROUBLE:
            pass
        said = {"ended": "durable" if visitor.durable else "not durable"}.get(visitor.fate, "no answer")
        self.counts[f"signed out: {said}"] += 1
        await visitor.browser.close()

    async def live_until(self, over: asyncio.Event, *, leaving: float, checked: bool) -> None:
        """Ask, sign in and sign out, until it is over. `leaving`: how often it is that. `checked`: whoever is signed in
        must be served, but for trouble.
        """
        while not over.is_set():
            visitor = self.chance.choice(self.alive) if self.alive else await self.sign_in()
            if visitor is None:
                await asyncio.sleep(0.1)
            elif self.chance.random() < leaving:
                if visitor in self.alive:
                    await self.sign_out(visitor)
                    await self.sign_in()
            elif (
                checked
                and await self.ask(visitor) in {302, 401}
                and visitor.fate == "alive"
                and not self._old(visitor)
            ):
                self.wrong.append(f"{visitor.person} was signed out")
                self.counts["ended"] += 1
            elif not checked:
                await self.ask(visitor)
            await self._replay_one()

    async def _replay_one(self) -> None:
        """Somebody who has kept a cookie, and was told that it is dead everywhere; the news has had its time to come there."""
        heard = asyncio.get_running_loop().time() - FRESH
        told = [visitor for visitor in self.ended if visitor.durable and visitor.left < heard]
        if told:
            try:
                status = await self.stand.status(self.chance.choice(told).cookie)
            except TROUBLE:
                return
            self._look_dead(status, "while it lasted")

    def _look_dead(self, status: int, when: str) -> None:
        self.counts["replayed"] += 1
        if status == 200:
            self.wrong.append(f"a dead cookie was served {when}")
            self.counts["revived"] += 1

    async def something_has_happened(self) -> None:
        """Wait until somebody was told that the log has their end. What does not come is found by whoever judges."""

        async def has_happened() -> bool:
            return self.counts["signed out: durable"] > 0

        with contextlib.suppress(TimeoutError):
            await until_true(has_happened)

    async def judged(self) -> None:
        """When all is well again: each who was told to be signed out is, at every place; and nobody else."""
        await self.stand.well()
        self._forget_the_old()
        await self._heard_of()
        told = self.ended if len(self.ended) <= REPLAYED else self.chance.sample(self.ended, REPLAYED)
        for place in self.stand.places:
            for status in await self.stand.statuses(place, [visitor.cookie for visitor in told]):
                self._look_dead(status, "afterwards")
            for status in await self.stand.statuses(place, [visitor.cookie for visitor in self.alive]):
                self.counts["still served"] += 1
                if status != 200:
                    self.wrong.append(f"somebody who is signed in got {status} afterwards")
                    self.counts["ended"] += 1

    async def _heard_of(self) -> None:
        """Wait until what was ended last has come to every place, which takes up to a second when all is well, and more
        where nobody gets the processor. What does not come is found by whoever judges.
        """
        now = asyncio.get_running_loop().time()
        fresh = [visitor.cookie for visitor in self.ended if now - visitor.left < FRESH]
        for place in self.stand.places if fresh else ():

            async def refused(place: str = place) -> bool:
                return 200 not in await self.stand.statuses(place, fresh)

            with contextlib.suppress(TimeoutError):
                await until_true(refused)

    def _old(self, visitor: Visitor) -> bool:
        return visitor.since < self.stand.renewed

    def _forget_the_old(self) -> None:
        """Whoever is of another log is signed out by it, as surely as by a button."""
        old = [visitor for visitor in self.alive if self._old(visitor)]
        self.alive = [visitor for visitor in self.alive if visitor not in old]
        self.ended += old

    async def filled(self, number: int) -> None:
        """As many are signed in."""
        async with asyncio.timeout(PATIENCE):
            while missing := max(0, number - len(self.alive)):
                await asyncio.gather(*(self.sign_in() for _ in range(min(8, missing))))

    async def close(self) -> None:
        """Everybody goes home."""
        for visitor in (*self.alive, *self.ended):
            await visitor.browser.close()


async def until_true(happens: Callable[[], Awaitable[bool]]) -> None:
    """Look again and again."""
    async with asyncio.timeout(PATIENCE):
        while not await happens():
            await asyncio.sleep(0.05)
