"""Who may ask (forward-auth), and the books on questions that are refused."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.errors import DownstreamError
from gateway.core.http.forwarded import AskingProxy, at_address
from gateway.telemetry.log import get_logger
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.seldom import Seldom

_log = get_logger("forward_auth")


class Callers:
    """See the module.

    :ivar now: the proxies that may ask, with their secrets of now.
    """

    def __init__(self, callers: Sequence[AskingProxy], metrics: Metrics) -> None:
        self.now = tuple(callers)
        self._metrics = metrics
        self._seldom = Seldom()

    def at(self, peer: str) -> AskingProxy | None:
        """Whose that address is, if anybody's."""
        return at_address(peer, self.now)

    def replace(self, secrets: Sequence[str]) -> None:
        """Take the secrets anew, one for each caller; an empty one asks for none."""
        pairs = zip(self.now, secrets, strict=True)
        self.now = tuple(caller._replace(secret=secret.encode()) for caller, secret in pairs)

    def nameless(self, caller: AskingProxy, peer: str) -> None:
        """A question does not say whose request it is about; said once in a while."""
        if times := self._seldom.due("nameless"):
            header = caller.rules.client_header.decode()
            fix = "have the proxy write it into its question, as its recipe does"
            _log.warning("client_unknown", why="missing", header=header, proxy=peer, times=times, fix=fix)

    def refused(self, caller: AskingProxy | None, error: DownstreamError, peer: str) -> None:
        """A question is no question; counted each time and said once in a while, for anybody may send one.

        :param caller: None where nobody is known at the address ``peer``.
        """
        kind = caller.kind if caller else "nobody"
        self._metrics.forward_auth_refused_total[kind, error.code].inc()
        if times := self._seldom.due(f"{kind} {error.code} {error.detail}"):
            _log.warning(
                "forward_auth_refused",
                caller=kind,
                reason=error.code,
                detail=error.detail,
                peer=peer,
                times=times,
            )
