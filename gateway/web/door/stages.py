"""How far a connection is, and what each event makes of that: the table decides, and what is not in it changes nothing.

Three things stand beside it, since each goes with every stage: whether the client has closed its side, whether it is
held back, and whether it takes what is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum


class Stage(IntEnum):
    """Ordered: a request is under way from ASKED to TUNNEL, and none will come from LAST on.

    :cvar RESTING: nothing of a request has come. :cvar HEAD: a part of a head has.
    :cvar SURPLUS: the answer is out, and the rest of the request's body, which nobody wants, is read over.
    :cvar ASKED: a request is being answered. :cvar ANSWERING: a part of its answer is out.
    :cvar LAST: a request is being answered whose body was given up, and with it the framing of all that follows.
    :cvar TUNNEL: after an upgrade; every byte is the receiver's.
    :cvar CLOSING: what waits is sent, then the connection ends.
    :cvar LINGERING: our side is closed; what the client still sends is read over.
    :cvar GONE: the connection has ended.
    """

    RESTING, HEAD, SURPLUS, ASKED, ANSWERING, LAST, TUNNEL, CLOSING, LINGERING, GONE = range(10)


def _to(to: Stage, of: Iterable[Stage]) -> Mapping[Stage, Stage]:
    changed = frozenset(of)
    return {stage: to if stage in changed else stage for stage in Stage}


_UNDER_WAY = {Stage.ASKED, Stage.ANSWERING}

# fmt: off
# event                 leads to          from
HEAD_BEGUN      = _to(Stage.HEAD,      {Stage.RESTING})
REQUEST_COME    = _to(Stage.ASKED,     {Stage.RESTING, Stage.HEAD})
PART_SENT       = _to(Stage.ANSWERING, {Stage.ASKED})
BODY_GIVEN_UP   = _to(Stage.LAST,      _UNDER_WAY)
UPGRADED        = _to(Stage.TUNNEL,    _UNDER_WAY | {Stage.LAST})
ANSWERED        = _to(Stage.RESTING,   _UNDER_WAY)
ANSWERED_EARLY  = _to(Stage.SURPLUS,   _UNDER_WAY)
SURPLUS_OVER    = _to(Stage.RESTING,   {Stage.SURPLUS})
CLOSED          = _to(Stage.CLOSING,   (stage for stage in Stage if stage < Stage.LINGERING))
OUR_HALF_CLOSED = _to(Stage.LINGERING, (stage for stage in Stage if stage < Stage.CLOSING))
LOST            = _to(Stage.GONE,      Stage)
# fmt: on
