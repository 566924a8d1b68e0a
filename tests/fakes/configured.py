"""The demo's generated configuration with other ways in than its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

NOTHING: Mapping[str, str] = MappingProxyType({})
"""No piece of the configuration is replaced."""


def with_inbound(text: str, section: str, *, okta: str = "") -> str:
    """``text`` with this ``inbound`` section alone, and its Okta, where one is named, linked to Cognito's users."""
    text = re.sub(r"^inbound:.*\n(?:  .*\n)*", "", text, flags=re.MULTILINE)
    if okta:
        text = re.sub(r"^  linked_providers:.*\n", "", text, flags=re.MULTILINE)
        behind = "  identity_provider: Okta\n"
        text = text.replace(behind, f"{behind}  linked_providers: {{'{okta}': Okta}}\n")
    return f"{text}{section}"
