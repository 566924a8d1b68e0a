"""What the demo's API has to show: a made-up parcel company's reports and accounts."""

from __future__ import annotations

from typing import Final

_DEPOTS: Final = (("Harbour", 4180), ("Mill Lane", 2635), ("Northgate", 3320), ("Old Airfield", 5075))
_KINDS: Final = (
    ("Delivery times", "Most parcels arrived inside the promised window; the late ones share two routes."),
    ("Returns", "Fewer parcels came back than a quarter ago, and the usual reason is still a wrong address."),
    ("Fleet energy", "Electric vans now drive the larger part of the distance, mostly on the short tours."),
)


def _report(number: int) -> dict[str, object]:
    """Report ``number`` (from 1); its figures follow the depot's size, so they are alike but not equal."""
    depot, parcels = _DEPOTS[(number - 1) % len(_DEPOTS)]
    title, summary = _KINDS[(number - 1) % len(_KINDS)]
    return {
        "id": number,
        "title": title,
        "depot": depot,
        "period": f"Week {30 + number}",
        "status": "draft" if number > 10 else "final",
        "summary": summary,
        "figures": [
            {"label": "Parcels handled", "value": parcels + 37 * number},
            {"label": "On time, per cent", "value": 91 + number % 7},
            {"label": "Average minutes per stop", "value": 3 + number % 3},
        ],
    }


REPORTS: Final = tuple(_report(number) for number in range(1, 13))
USERS: Final = (
    {"name": "Alice Archer", "email": "alice@example.com", "groups": ["admins", "staff"]},
    {"name": "Bob Baker", "email": "bob@example.com", "groups": ["staff"]},
    {"name": "Carol Chen", "email": "carol@example.com", "groups": ["staff"]},
    {"name": "Dinesh Das", "email": "dinesh@example.com", "groups": ["drivers"]},
)
