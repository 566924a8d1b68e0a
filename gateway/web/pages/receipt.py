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

from gateway.core.signout.evidence import ENDED, Asked, Evidence

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
    there = f"at {hop.label}"
    evidence = _sentence(words(hop.evidence, hop.label))
    match hop.status:
        case "returned" if hop.sure:
            outcome = "Sign-out confirmed"
            return ReceiptLine(hop.label, "good", "Confirmed", outcome, hop.at, evidence, "")
        case "returned":
            advice = _asked(hop) or (
                f"{hop.label} may lead back without having ended your session there. If the next sign-in asks for no"
                f" password, you are still signed in {there}: sign out {there} itself."
            )
            return ReceiptLine(
                hop.label, "skip", "Came back", "Your browser came back", hop.at, evidence, advice
            )
        case "skipped":
            outcome, advice = "Not asked to sign you out", f"If you were signed in {there}, you still are."
            return ReceiptLine(hop.label, "skip", "Skipped", outcome, None, evidence, advice)
        case "pending":
            return ReceiptLine(hop.label, "wait", "Waiting", "Not confirmed yet", None, evidence, "")
        case _:
            advice = (
                f"You may still be signed in {there}. Try again; if that does not help, sign out {there} "
                "itself, or close the browser completely, before you leave this computer."
            )
            evidence = evidence or _sentence(words(Evidence.NO_RETURN, hop.label))
            return ReceiptLine(hop.label, "bad", "Not confirmed", "Not confirmed", hop.at, evidence, advice)


def words(evidence: str, service: str) -> str:
    """A phrase for ``evidence``, without its full stop; empty for what no sentence is made of.

    :param service: what people call the provider.
    """
    phrases: dict[str, str] = {
        Evidence.SESSION_ENDED: f"{service} ended your session and led your browser back",
        Evidence.ENDED_ADDRESS_REACHED: f"your browser reached the address to which {service} leads from"
        " its sign-out",
        Evidence.CAME_BACK: f"your browser came back from {service}",
        Evidence.ADDRESS_REACHED: f"your browser reached the return address of {service}",
        Evidence.NO_ENDPOINT: f"{service} has no address for signing out applications; only this application's session"
        " was ended",
        Evidence.ENDPOINT_UNKNOWN: f"{service} could not be asked where to sign out; only this"
        " application's session was ended",
        Evidence.NO_HINT: f"this browser has nothing left that names your session to {service}",
        Evidence.HINT_TOO_LONG: f"what names your session to {service} is too long to be sent",
        Evidence.HINT_WITHDRAWN: f"{service} takes what names your session there no more, as it has other keys now",
        Evidence.NOT_NEEDED: f"{service} had signed you out already",
        Evidence.NO_RETURN: f"your browser did not come back from {service}",
        Evidence.NOT_CONFIGURED: "this step was taken out of the configuration meanwhile",
    }
    return phrases.get(evidence, "")


def _asked(hop: HopLine) -> str:
    """What follows from how the provider was asked; empty where nothing does."""
    why = {
        Asked.NO_HINT: "this browser had nothing left that names it",
        Asked.HINT_TOO_LONG: "what names it was too long to be sent",
        Asked.HINT_WITHDRAWN: f"{hop.label} has other keys now than the one that signed what names it",
        Asked.AGAIN: "naming it did not lead you back the first time",
    }
    for how, reason in why.items():
        if hop.asked == how:
            return (
                f"{hop.label} was not told which session to end, because {reason}, so it may have asked you. If you"
                f" said no, or the next sign-in asks for no password, you are still signed in at {hop.label}."
            )
    return ""


def _our_entry(hop: HopLine, *, durable: bool) -> ReceiptLine:
    match hop.status:
        case "returned":
            evidence = "it works in no tab any more, nor does a copy of it" if durable else ""
            return ReceiptLine(hop.label, "good", "Ended", "Session ended", hop.at, _sentence(evidence), "")
        case "skipped":
            outcome = "There was no session to end"
            return ReceiptLine(hop.label, "skip", "Nothing to end", outcome, None, "", "")
        case _:
            advice = "You may still be signed in here. Try again, or close the browser completely."
            return ReceiptLine(hop.label, "bad", "Not ended", "Not ended", hop.at, "", advice)


def headline(
    hops: Sequence[HopLine], *, finished: bool, durable: bool = True, behind: bool = False
) -> Headline:
    """The sentence over the receipt, as good as its weakest line, and as what is on no line.

    :param behind: there is a provider behind the one that was asked, which nobody here can ask.
    """
    if not hops:
        summary = "This browser has no receipt of a recent sign-out. If you meant to sign out, do it here."
        return Headline("plain", "No sign-out on record", summary)
    if any(hop.name == OURS and hop.status not in {"returned", "skipped"} for hop in hops):
        summary = "Your session here could not be ended. Please try again; the details are below."
        return Headline("bad", "You may still be signed in", summary)
    if not finished:
        summary = "You are signed out here. Not every service below has confirmed yet: please continue."
        return Headline("warn", "Signing out is not finished", summary)
    unsure = [hop.label for hop in hops if hop.status not in {"returned", "skipped"}]
    if unsure:
        summary = (
            "You are signed out of this application. What is not certain is marked below, with what to do."
        )
        return Headline("warn", f"{_listing(unsure)} did not confirm your sign-out", summary)
    return _good_headline(hops, durable=durable, behind=behind)


def _good_headline(hops: Sequence[HopLine], *, durable: bool, behind: bool) -> Headline:
    if not durable:
        summary = "Your session here is closed, but this server could not store that yet. Please read the note below."
        return Headline("warn", "You are signed out on this server", summary)
    skipped = [hop.label for hop in hops if hop.status == "skipped" and hop.name != OURS]
    unseen = [hop.label for hop in hops if hop.status == "returned" and not hop.sure]
    if skipped or unseen:
        said = [f"We did not sign you out of {_listing(skipped)}; the receipt says why."] if skipped else []
        said += (
            [f"Whether {_listing(unseen)} ended your session as well cannot be seen from here."]
            if unseen
            else []
        )
        return Headline("good", "You are signed out of this application", " ".join(said))
    if all(hop.name == OURS for hop in hops):
        summary = "Only this application signed you out. Where you sign in you may still be signed in."
        return Headline("good", "You are signed out of this application", summary)
    if behind:
        summary = "Everything below is done. Another provider that you came in through may still have you signed in."
        return Headline("good", "You are signed out", summary)
    return Headline("good", "You are signed out", "Everything below is done. You can close this page now.")


def began(hops: Sequence[HopLine]) -> int | None:
    """The time of the earliest line, for the date on the receipt."""
    return min((hop.at for hop in hops if hop.at is not None), default=None)


def _sentence(phrase: str) -> str:
    if not phrase:
        return ""
    first = phrase.partition(" ")[0]
    begun = (
        phrase if "." in first.rstrip(".") else f"{phrase[0].upper()}{phrase[1:]}"
    )  # a host's name stays as it is
    return f"{begun.rstrip('.')}."


def _listing(labels: Sequence[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"
