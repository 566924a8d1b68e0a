"""Whose turn it is, of all processes that share the revocation log, to do what one of them should do for all.

The claims of refreshes serve for it: one process is granted a name, and when it dies over it the lease runs out.
"""

from __future__ import annotations

from gateway.state.contract.refreshes import Granted, Refreshes


class Turn:
    """One such thing, by its name.

    :param lease: seconds after which another process may take the turn of one that died.
    """

    def __init__(self, refreshes: Refreshes, name: str, lease: int) -> None:
        self._refreshes = refreshes
        self._name = name
        self._lease = lease

    async def take(self) -> bool:
        """Whether it is ours now; not so where the storage does not answer."""
        return isinstance(await self._refreshes.claim(self._name, 0, lease=self._lease), Granted)

    async def give_back(self) -> None:
        """Let others have it."""
        await self._refreshes.release(self._name, 0)
