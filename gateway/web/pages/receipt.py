"""What the sign-out receipt says: it claims only what its evidence shows (rule R28).

    returned   the browser came back from there, which means that the session there is over only where the evidence says
               so; for "gateway": our own session was ended
    failed     asked, but no return was seen
    skipped    never asked, and why; for "gateway": there was no session
    pending    still to come

A status this table does not know is shown as not confirmed, never as a success; evidence that it does not know, as of a
chain that another version has sealed, is none that anything has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core.signout.evidence import ENDED, Evidence
from gateway.web.pages.catalogue import message, message_for

OURS = "gateway"


@dataclass(frozen=True, slots=True)
class HopLine:
    """One line of the sign-out receipt.

    `name` is the hop's name in the configuration, or "gateway" for our own session; `label` what people
    call it; `status` one of the four above; `at` epoch seconds; `evidence` the reason why we say so, one of
    `Evidence`; `asked` how it was asked, one of `Asked`.
    """

    name: str
    label: str
    status: str
    at: int | None = None
    evidence: str = ""
    asked: str = ""

    @property
    def sure(self) -> bool:
        """Whether the session there is known to be over."""
        return self.status == "returned" and (self.name == OURS or self.evidence in ENDED)


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One line as it is shown; `tone` picks colour and icon, which never speak alone."""

    label: str
    tone: str
    chip: str
    outcome: str
    at: int | None
    evidence: str
    advice: str


@dataclass(frozen=True, slots=True)
class Headline:
    """The first thing a reader sees: one true sentence about the whole."""

    tone: str
    title: str
    summary: str


def entry(hop: HopLine, *, durable: bool = True) -> ReceiptLine:
    """Put one hop into words; only a `durable` end is known to reach copies of our session elsewhere."""
    if hop.name == OURS:
        return _our_entry(hop, durable=durable)
    evidence = message_for("evidence", hop.evidence, service=hop.label)
    match hop.status:
        case "returned" if hop.sure:
            words = message("line.confirmed"), message("line.confirmed_outcome")
            return ReceiptLine(hop.label, "good", *words, hop.at, evidence, "")
        case "returned":
            words = message("line.came_back"), message("line.came_back_outcome")
            advice = message_for("asked", hop.asked, "hint", service=hop.label)
            return ReceiptLine(hop.label, "skip", *words, hop.at, evidence, advice)
        case "skipped":
            words = message("line.skipped"), message("line.skipped_outcome")
            advice = message("line.skipped_advice", service=hop.label)
            return ReceiptLine(hop.label, "skip", *words, None, evidence, advice)
        case "pending":
            words = message("line.waiting"), message("line.waiting_outcome")
            return ReceiptLine(hop.label, "wait", *words, None, evidence, "")
        case _:
            words = message("line.not_confirmed"), message("line.not_confirmed")
            advice = message("line.not_confirmed_advice", service=hop.label)
            evidence = message_for("evidence", hop.evidence, Evidence.NO_RETURN, service=hop.label)
            return ReceiptLine(hop.label, "bad", *words, hop.at, evidence, advice)


def _our_entry(hop: HopLine, *, durable: bool) -> ReceiptLine:
    match hop.status:
        case "returned":
            words = message("line.ended"), message("line.ended_outcome")
            evidence = message("line.ended_durable") if durable else ""
            return ReceiptLine(hop.label, "good", *words, hop.at, evidence, "")
        case "skipped":
            words = message("line.nothing"), message("line.nothing_outcome")
            return ReceiptLine(hop.label, "skip", *words, None, "", "")
        case _:
            words = message("line.not_ended"), message("line.not_ended")
            return ReceiptLine(hop.label, "bad", *words, hop.at, "", message("line.not_ended_advice"))


def headline(
    hops: Sequence[HopLine], *, finished: bool, durable: bool = True, behind: bool = False
) -> Headline:
    """The sentence over the receipt, as good as its weakest line, and as what is on no line.

    :param behind: there is a provider behind the one that was asked, which nobody here can ask.
    """
    if not hops:
        return Headline("plain", message("headline.none"), message("headline.none_what"))
    if any(hop.name == OURS and hop.status not in {"returned", "skipped"} for hop in hops):
        return Headline("bad", message("headline.not_ended"), message("headline.not_ended_what"))
    if not finished:
        return Headline("warn", message("headline.unfinished"), message("headline.unfinished_what"))
    unsure = [hop.label for hop in hops if hop.status not in {"returned", "skipped"}]
    if unsure:
        title = message("headline.unsure", services=_listing(unsure))
        return Headline("warn", title, message("headline.unsure_what"))
    if not durable:
        return Headline("warn", message("headline.not_durable"), message("headline.not_durable_what"))
    skipped = [hop.label for hop in hops if hop.status == "skipped" and hop.name != OURS]
    unseen = [hop.label for hop in hops if hop.status == "returned" and not hop.sure]
    summary = [message("headline.here_skipped", services=_listing(skipped))] if skipped else []
    summary += [message("headline.here_unseen", services=_listing(unseen))] if unseen else []
    if not summary and all(hop.name == OURS for hop in hops):
        summary = [message("headline.here_only")]
    if summary:
        return Headline("good", message("headline.here"), " ".join(summary))
    return Headline(
        "good",
        message("headline.done"),
        message("headline.done_behind") if behind else message("headline.done_what"),
    )


def began(hops: Sequence[HopLine]) -> int | None:
    """The time of the earliest line, for the date on the receipt."""
    return min((hop.at for hop in hops if hop.at is not None), default=None)


def _listing(labels: Sequence[str]) -> str:
    *first, last = labels
    return message("receipt.and", first=", ".join(first), last=last) if first else last
