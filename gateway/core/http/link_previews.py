"""Programs that look where a link leads before a person goes there, by their User-Agent.

Microsoft Office opens a link itself, without the browser's cookies, follows it wherever it is redirected, and gives
the browser the last address: the provider's, with a sign-in that the browser has not begun (Microsoft KB 899927). So it
gets a page at the link's own address. Chat programs draw a preview, which should not be one of the provider.

That a program says so is believed, for it gets less than anybody else. What says nothing is taken for a browser.
"""

from __future__ import annotations

import re

_NAMES = re.compile(
    r"ms-?office|microsoft (?:office|word|excel|powerpoint|onenote|access|publisher|visio|project)"
    r"|slack(?:bot|-imgproxy)|skypeuripreview|facebookexternalhit|whatsapp/|telegrambot|twitterbot|discordbot"
    r"|linkedinbot|bingpreview|mattermost-bot|google-pagerenderer|googlemessages|zoom\.us preview|barracuda|proofpoint"
)
LONGEST = 1_024
"""Letters of a User-Agent that are looked at."""


def looks_ahead(agent: str) -> bool:
    """Whether whoever sends this User-Agent only looks."""
    return _NAMES.search(agent[:LONGEST].lower()) is not None
