"""Every exchange with the provider goes through here: sent, parsed, counted, and its outcome remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from gateway.core.errors import ProviderError
from gateway.idp.transport import Transport
from gateway.oidc.wire import ProviderRequest, ProviderResponse
from gateway.telemetry.log import get_logger

_log = get_logger("idp")
T = TypeVar("T")
OnCall = Callable[[str, str], None]


class ProviderLink:
    """The transport with a memory of how the last exchange went.

    :param on_call: called after every exchange with the endpoint (``metadata``, ``jwks``, ``token``,
        ``refresh``, ``revocation``) and ``ok`` or an error code.
    :ivar fault: why the provider counts as down; None while it answers sensibly. A refusal such as
        ``invalid_grant`` is a sensible answer.
    :ivar went_down: set when an exchange fails, for whoever wants to look again soon.
    """

    def __init__(self, transport: Transport, on_call: OnCall | None = None) -> None:
        self._transport = transport
        self._on_call = on_call
        self.fault: ProviderError | None = None
        self.went_down = asyncio.Event()

    async def exchange(
        self,
        endpoint: str,
        request: ProviderRequest,
        parse: Callable[[ProviderResponse], T],
        *,
        timeout: float | None = None,
    ) -> T:
        """What ``parse`` makes of the answer to ``request``.

        :raises ProviderError: of the transport or of ``parse``.
        """
        try:
            result = parse(await self._transport.send(request, timeout=timeout))
        except ProviderError as error:
            self._note(endpoint, error)
            raise
        self._note(endpoint, None)
        return result

    async def close(self) -> None:
        """Close the transport."""
        await self._transport.close()

    def _note(self, endpoint: str, error: ProviderError | None) -> None:
        down = error is not None and (error.retryable or error.code in {"bad_response", "issuer_mismatch"})
        former, self.fault = self.fault, error if down else None
        if self.fault is not None:
            self.went_down.set()
            if former is None or str(former) != str(self.fault):
                fault = self.fault
                _log.warning(
                    "provider_down", endpoint=endpoint, reason=fault.code, detail=fault.detail, fix=fault.fix
                )
        elif former is not None:
            _log.info("provider_up", endpoint=endpoint)
        if self._on_call is not None:
            self._on_call(endpoint, "ok" if error is None else error.code)
