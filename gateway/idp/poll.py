"""Security events that have to be fetched (RFC 8936): one process of all fetches, the transmitter holds its answer back
until there is something, and what is done for good is acknowledged with the next question.

Nothing is acknowledged before it is in the log. What was not comes again, and so does what was, when the connection is
lost in between: taking it a second time does nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from gateway.core import dice
from gateway.core.errors import ProviderError
from gateway.idp.discovery import back_off
from gateway.idp.link import ProviderLink
from gateway.oidc.events.poll import Polled, parse_poll, poll_request
from gateway.oidc.events.security_event import Refusal
from gateway.telemetry.log import get_logger

HELD: Final = 60.0
"""Seconds for an answer that the transmitter may hold back."""
SHORT: Final = 10.0
"""Seconds for one that it may not."""
TURN: Final = 120
"""Seconds of a turn: longer than one question may take, with all that comes of it."""
LOOK_EVERY: Final = 5.0
"""Seconds between two looks whether it is our turn."""
PAUSE: Final = 1.0
"""Seconds between two questions to a transmitter that holds no answer back, and has nothing."""
_log = get_logger("poll")
Receive = Callable[[str], Awaitable[Refusal | None]]


class Turns(Protocol):
    """Whose turn it is to fetch; ``state/contract/turns.py`` knows, for all processes."""

    async def take(self) -> bool:
        """Whether it is ours now."""

    async def give_back(self) -> None:
        """Let others have it."""


class Poller:
    """Fetches from one address, for ever.

    :param receive: takes in a token; see ``web/endpoints/inbound/security_events.py``.
    :param jitter: a number in [0, 1).
    """

    def __init__(
        self,
        link: ProviderLink,
        endpoint: str,
        token: str,
        *,
        receive: Receive,
        turn: Turns,
        jitter: Callable[[], float] = dice.fraction,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self._link = link
        self._endpoint = endpoint
        self._token = token
        self._receive = receive
        self._turn = turn
        self._jitter = jitter
        self._look_every = look_every
        self._done: list[str] = []
        self._refused: dict[str, Refusal] = {}
        self._failures = 0
        self._trouble = ""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the background."""
        self._task = asyncio.get_running_loop().create_task(self._go_on(), name="poll")

    async def close(self) -> None:
        """Stop; what was not acknowledged comes again."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    def replace_token(self, token: str) -> None:
        """Ask with another bearer token from now on."""
        self._token = token

    def health(self) -> str:
        """One line for people; starts with "ok" when all is well."""
        return f"not fetched: {self._trouble}" if self._trouble else "ok"

    async def _go_on(self) -> None:
        while True:
            if not await self._turn.take():
                await asyncio.sleep(self._look_every * (0.5 + self._jitter()))
                continue
            try:
                pause = await self._fetch()
            except ProviderError as error:
                pause = self._failed(str(error))
            except Exception:  # noqa: BLE001 -- whatever it was, the next event must still be fetched
                _log.exception("poll_crashed")
                pause = self._failed("an error of ours; see the log")
            finally:
                await self._turn.give_back()
            await asyncio.sleep(pause)

    def _failed(self, why: str) -> float:
        """How long to wait now."""
        self._failures += 1
        self._trouble = why
        return back_off(self._failures, self._jitter())

    async def _fetch(self) -> float:
        """Ask until there is nothing left to acknowledge; how long to pause then.

        :raises ProviderError: the transmitter does not answer, or something it sent has to come again.
        """
        began = asyncio.get_running_loop().time()
        # After a failure, or to be rid of acknowledgements, nobody has to wait for something new.
        while await self._ask(wait=not (self._failures or self._done or self._refused)):
            if asyncio.get_running_loop().time() - began > TURN / 4:
                break
        self._failures, self._trouble = 0, ""
        held = asyncio.get_running_loop().time() - began >= PAUSE
        return 0.0 if held or self._done or self._refused else PAUSE

    async def _ask(self, *, wait: bool) -> bool:
        """One question, and all that comes of it; whether another should follow at once."""
        done, refused = tuple(self._done), dict(self._refused)
        request = poll_request(self._endpoint, self._token, done=done, refused=refused, wait=wait)
        polled = await self._link.exchange("events", request, parse_poll, timeout=HELD if wait else SHORT)
        del self._done[: len(done)]
        for name in refused:
            self._refused.pop(name, None)
        await self._take_in(polled)
        return polled.more or bool(self._done or self._refused)

    async def _take_in(self, polled: Polled) -> None:
        for name, token in polled.tokens.items():
            refusal = await self._receive(token)
            if refusal is None:
                self._done.append(name)
            else:
                self._refused[name] = refusal
