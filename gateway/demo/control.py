"""`/__control`: what an emulator holds, and its switches, for tests and for the curious."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from gateway.demo.answers import json_answer
from gateway.demo.emulator import Emulator
from gateway.demo.guarded import check_host, json_body
from gateway.demo.switchboard import SwitchError, checked
from gateway.demo.switches import SWITCHES


class Control:
    """Reads and sets one emulator; the switches are shared by both."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._common = emulator.common

    def snapshot(self) -> dict[str, Any]:
        """Return switches, living browser sessions, tokens and calls, as `GET /__control` shows them."""
        common = self._common
        return {
            "switches": common.switches.as_dict(),
            "sessions": [
                {"user": user, "created": created} for user, created in self._emulator.live_sessions()
            ],
            "tokens": [{"kind": t.kind, "user": t.user, "revoked": t.revoked} for t in common.issued],
            "calls": [
                {"method": c.method, "path": c.path, "query": c.query, "status": c.status, "at": c.at}
                for c in common.calls
            ],
        }

    def set(self, **changes: str | int | bool) -> None:
        """Set switches, all or none; raises SwitchError."""
        self._common.switches.set(changes)

    def reset(self) -> None:
        """Return the switches to their start values and forget everything this emulator holds."""
        self._common.switches.reset()
        self._common.calls.clear()
        self._common.issued.clear()
        self._emulator.forget()

    def change(self, body: Mapping[str, object]) -> None:
        """Apply a `POST /__control` body: reset first, then set; SwitchError changes nothing at all."""
        changes = body.get("set", {})
        if set(body) - {"set", "reset"} or not isinstance(changes, dict):
            raise SwitchError('the body is {"set": {NAME: VALUE}, "reset": true}, both optional')
        accepted = checked(changes)
        if body.get("reset") is True:
            self.reset()
        self._common.switches.set(accepted)

    def routes(self) -> list[web.RouteDef]:
        """Return the two routes of this emulator."""
        return [
            web.get("/__control", self._show, allow_head=False),
            web.post("/__control", self._change),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        check_host(request, self._emulator.url)
        return json_answer(self.snapshot())

    async def _change(self, request: web.Request) -> web.Response:
        try:
            body = await json_body(request, self._emulator.url)
            self.change(body if isinstance(body, dict) else {"": body})
        except (SwitchError, ValueError) as error:
            names = [switch.name for switch in SWITCHES]
            return json_answer({"error": str(error), "switches": names}, status=400)
        return json_answer(self.snapshot())
