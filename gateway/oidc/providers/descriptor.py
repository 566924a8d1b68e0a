"""What is different about a kind of provider, and about a hop of the logout chain: one value for each, whole.

From it come the syntax in the configuration file, the way out and the proof of return, the words on pages, the lines
for the providers' consoles and the doctor's checks. Nothing else in the gateway asks for a kind or a hop by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from urllib.parse import urlsplit

from gateway.oidc.signout.logout import AddressTemplate, Hop, OidcLogout, Way
from gateway.oidc.signout.sign_outs import ID_TOKEN, Ends, FormUse, Proof, SignOut, Without
from gateway.oidc.urls import origin_of

FORMS = ("form", "get")
"""How a hop is to be asked, where the operator says so."""
UNKNOWN = SignOut(Proof.STATE, Ends.NEVER, hint=ID_TOKEN, without=Without.UNCERTAIN)
"""A provider of which nobody knows what becomes of its session when it is asked as OpenID Connect has it."""


@dataclass(frozen=True, slots=True)
class Registration:
    """One field of one screen.

    :ivar console: the provider's own where it is empty, and its screen for return addresses.
    :ivar value: to be pasted as it is; in a descriptor with ``{origin}``, which is ours, ``{return_to}``, the hop's
        address here, or the provider's ``{domain}`` and ``{pool}``, the last part of its issuer.
    :ivar why: what it is for, and what is seen when it is missing.
    """

    console: str
    screen: str
    field: str
    value: str
    why: str

    def filled(self, **values: str) -> Registration:
        """As it is to be pasted, with the ``values`` that `HopKind.registrations` and the doctor give."""
        return replace(self, value=self.value.format(**values))


@dataclass(frozen=True, slots=True)
class Note:
    """What the doctor says in ``check`` without having seen it; ``{domain}`` and ``{absolute}`` are filled in."""

    check: str
    looked_at: str
    what: str
    fix: str


OWN = Registration(
    console="",
    screen="",
    field="",
    value="{return_to}",
    why="where this provider's sign-out comes back to; without it the browser stays on an error page there",
)


class Return(Enum):
    """By what the doctor tells that a browser without a session comes back."""

    EXACT = "is an allowed sign-out URL"  # a redirect to our address, to the byte
    TRUSTED = "is a Trusted Origin"  # another answer than to a stranger's address, as the origin alone counts
    REGISTERED = "is registered"  # another answer than to a stranger's address


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderKind:
    """One kind of provider, ``provider.kind``.

    :ivar label: what people call it; empty for the host of its issuer. :ivar console: what its operators do.
    :ivar hop: the chain where none is written.
    :ivar paths: of authorization, token and revocation on ``provider.domain``, where the kind has one.
    :ivar no_issuer: how hosts end that issue no tokens; and what an issuer looks like.
    :ivar hosts: how the hosts of its issuers end, where that tells it from all others.
    :ivar slash: whether its issuers end with one; None: some do.
    :ivar doubts: of issuer and domain, as keys with what is wrong and how to fix it, in so far as they cannot both be.
    :ivar token_kind: claim and value that only an ID token has: the guard against swapped token kinds.
    :ivar provider_hint: authorization parameter that names the federated provider and skips the picker.
    :ivar prompts: values of ``prompt`` that this kind wants replaced.
    :ivar chooses_account: it takes ``prompt=select_account``; elsewhere being asked to sign in has to do.
    :ivar usernames: claims tried, in order, for the preferred user name.
    :ivar groups: it sends the claim that ``headers.groups`` is by default.
    :ivar auth_time_proves: ``auth_time`` in its ID tokens is when the person last proved who they are, and not when a
        provider behind it answered or a session was renewed. Only where that is known of the kind.
    :ivar max_age: it takes ``max_age=0`` beside ``prompt=login``; only where that is known, for some providers then
        let nobody in.
    :ivar takes_s256: whatever its metadata says.
    :ivar broker: it keeps a session of its own in front of that of the provider behind it, and asks that one neither at
        a refresh nor at a sign-out.
    :ivar manners: what its own sign-out understands, where that is not OpenID Connect's.
    :ivar by_oidc: what is known of its end of session, asked as OpenID Connect has it.
    :ivar derived: its endpoint for that, where discovery names none: what is taken off the issuer, and what put on.
    :ivar sign_in: screen and field for our callback. :ivar sign_out: for return addresses.
    :ivar back_channel: for back-channel logout, :ivar front_channel: front-channel logout; None where it sends none.
    :ivar instead: what to configure in place of what it does not send.
    :ivar behind: what to enter for the provider behind it.
    :ivar notes: what nobody can see from outside.
    """

    name: str
    console: str
    sign_in: tuple[str, str]
    hop: str = ""
    label: str = ""
    paths: tuple[str, str, str] | None = None
    no_issuer: tuple[str, str] | None = None
    hosts: tuple[str, ...] = ()
    slash: bool | None = None
    doubts: Callable[[str, str], Iterator[tuple[str, str, str]]] = lambda _issuer, _domain: iter(())
    token_kind: tuple[str, str] | None = None
    provider_hint: str | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)
    chooses_account: bool = False
    usernames: tuple[str, ...] = ("preferred_username",)
    groups: bool = False
    auth_time_proves: bool = False
    max_age: bool = False
    takes_s256: bool = False
    broker: bool = False
    manners: str = ""
    by_oidc: SignOut = UNKNOWN
    derived: tuple[str, str] = ("", "")
    sign_out: tuple[str, str] = ("the client's settings", "post_logout_redirect_uris")
    back_channel: tuple[str, str] | None = None
    front_channel: tuple[str, str] | None = None
    instead: str = ""
    behind: tuple[Registration, ...] = ()
    notes: tuple[Note, ...] = ()

    def proves(self, configured: bool | None, behind: str | None) -> bool:
        """Whether ``auth_time`` is when the person proved who they are; who only asks another provider cannot know.

        :param configured: by the operator, who knows best; None: nothing.
        :param behind: the provider behind this one that people are sent on to, None for none.
        """
        return self.auth_time_proves and behind is None if configured is None else configured


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """This gateway's client at its provider."""

    kind: ProviderKind
    issuer: str
    client_id: str
    domain: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HopKind:
    """One hop, as it is called in ``logout.chain`` and in ``/logout/done/NAME``.

    :ivar known: what is known of its end of session; None: what is known of the provider.
    :ivar address: where it leads, with the names in braces of `PLACEHOLDERS`, ``domain`` (the provider's) and
        ``behind`` (what stands there in the file); empty: nobody can be asked; None: as OpenID Connect has it.
    :ivar of: the kind of provider whose session it ends; empty for any.
    :ivar label: what people call it; empty for what stands behind it, or for the provider's.
    :ivar example: of the address that has to stand behind it, an origin or one with placeholders; empty for none.
    :ivar choices: what may: ``form`` and ``get``, or a parameter that makes the provider sign out of the one behind it
        too. :ivar names_client: it is asked with ``client_id``.
    :ivar stands_in_for: the hop before, where both end one session: for browsers that have lost the hint, without which
        a provider of the kind ``of`` is not asked.
    :ivar registers: what to enter at the console.
    :ivar question: what the doctor asks, :ivar returns: and by what it sees the answer.
    """

    name: str
    question: str
    known: SignOut | None = None
    address: str | None = None
    of: str = ""
    label: str = ""
    example: str = ""
    choices: tuple[str, ...] = ()
    names_client: bool = True
    stands_in_for: str = ""
    registers: tuple[Registration, ...] = (OWN,)
    returns: Return = Return.REGISTERED

    def made(self, client: RelyingParty, behind: str = "") -> Hop:
        """The hop as it is walked.

        :param behind: what stands behind it in the file: an address, one of its choices, or nothing.
        """
        known, kind = self.known or client.kind.by_oidc, client.kind
        if self.address is None:
            way: Way = self._by_oidc(client, known, behind)
        else:
            way = AddressTemplate(
                self.address.replace("{domain}", client.domain).replace("{behind}", behind), client.client_id
            )
            if known.proof is Proof.STATE_IF_ANY:
                known = replace(known, proof=Proof.STATE if way.echoes_state else Proof.NOTHING)
        label = self.label or (not self.example and kind.label)
        theirs = {*map(origin_of, (client.issuer, client.domain))}
        return Hop(
            self.name,
            label or urlsplit(behind if self.example else client.issuer).hostname or behind,
            way,
            known,
            elsewhere=bool(self.example) and kind.name != self.of and origin_of(behind) not in theirs,
            further=behind in self.choices and behind not in FORMS,
        )

    def registrations(self, client: RelyingParty, origin: str, return_to: str) -> Iterator[Registration]:
        """What to enter elsewhere for it."""
        kind = client.kind
        for each in self.registers:
            at_its_own = replace(each, console=kind.console, screen=kind.sign_out[0], field=kind.sign_out[1])
            yield (each if each.console else at_its_own).filled(origin=origin, return_to=return_to)

    def _by_oidc(self, client: RelyingParty, known: SignOut, choice: str) -> OidcLogout:
        off, on = client.kind.derived
        form = FormUse.ALWAYS if choice == "form" else known.form
        if choice == "get" and known.form is FormUse.ALWAYS:
            form = FormUse.LONG  # too long an address is what neither of the two means
        return OidcLogout(
            client.client_id if self.names_client else "",
            form,
            known.without,
            f"{client.issuer.removesuffix('/').removesuffix(off)}{on}" if on else None,
            "id_token_hint" if known.hint == ID_TOKEN else "logout_hint",
            ((choice, ""),) if choice and choice not in FORMS else (),
        )
