"""Answers of a provider, as literals."""

from __future__ import annotations

import json
from typing import Any

from gateway.oidc.wire import ProviderResponse


def json_answer(document: Any, status: int = 200) -> ProviderResponse:
    """``document`` as a JSON answer."""
    return ProviderResponse(status, {"content-type": "application/json"}, json.dumps(document).encode())
