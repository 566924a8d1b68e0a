"""The contract for kept sessions, kept by the one in memory that the tests of other parts use."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fakes.tickets import MemoryTickets, Vault
from tests.state.tickets_contract import TicketsContract


class TestContract(TicketsContract):
    """So what those tests see is what Redis would do."""

    @pytest.fixture
    def make(self) -> Callable[[], MemoryTickets]:
        self._vault = Vault()
        return lambda: MemoryTickets(self._vault)

    async def pass_seconds(self, seconds: int) -> None:
        self._vault.now += seconds
