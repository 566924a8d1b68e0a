"""Answers of a provider, as literals."""

from __future__ import annotations

import json
from typing import Any

from gateway.oidc.wire import Answer


def json_answer(document: Any, status: int = 200) -> Answer:
    """``document`` as a JSON answer."""
    return Answer(status, {"content-type": "application/json"}, json.dumps(document).encode())
