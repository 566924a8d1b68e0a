"""Every page of the gateway: escaped, self-contained, accessible, small."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.web.pages import pages
from gateway.web.pages import shell as page_shell
from gateway.web.pages.catalogue import message
from gateway.web.pages.pages import HopLine, Offer, Page, SessionLine
from tests.web.page_samples import ATTEMPT, AUTHORIZE, SAMPLES, receipt

VOID = {"meta", "input"}
CORPUS = Path(__file__).parents[2] / "corpus" / "markup_injection.txt"
HOSTILE = [line for line in CORPUS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
MOVING = [
    "start",
    "start-long",
    "once-more",
    "onward",
    "landing",
    "leaving",
    "waiting",
    "waiting-unnamed",
    "receipt-pending",
]
WITH_FORM = [name for name in SAMPLES if b"<form" in SAMPLES[name]().body or name.startswith("receipt")]
TO_OTHERS = "hop"
"""The one page whose form goes to somebody else, who need not know where it comes from."""

every_page = pytest.mark.parametrize("name", SAMPLES)


class Document(HTMLParser):
    """A page taken apart; refuses tags that do not nest and attributes given twice."""

    def __init__(self, page: Page) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(page.body.decode())
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element."""
        assert len(dict(attrs)) == len(attrs)
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Self-closing elements occur only inside pictures."""
        assert "svg" in self._open
        self.elements.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        """Close what was opened last."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note text under its innermost element."""
        if self._open:
            self.text.setdefault(self._open[-1], []).append(data)

    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        """Elements and the names of their attributes, in order: what hostile text must not change."""
        return [(tag, tuple(attributes)) for tag, attributes in self.elements]

    def only(self, tag: str) -> dict[str, str]:
        """The attributes of the one element of this kind."""
        (found,) = [attributes for name, attributes in self.elements if name == tag]
        return found

    def by_id(self, identifier: str) -> dict[str, str]:
        """The attributes of the element with this id."""
        (found,) = [attributes for _, attributes in self.elements if attributes.get("id") == identifier]
        return found

    def addresses(self) -> list[str]:
        """Everything a browser could go to from here."""
        found = [a[key] for _, a in self.elements for key in ("href", "action", "data-rd") if key in a]
        refreshes = [a["content"] for _, a in self.elements if a.get("http-equiv") == "refresh"]
        return found + [content.partition("url=")[2] for content in refreshes if "url=" in content]


def header(page: Page, name: str) -> str:
    """The value of a header that is there once."""
    (value,) = [value for key, value in page.headers if key.lower() == name]
    return value


@every_page
def test_a_page_is_a_whole_accessible_document(name: str) -> None:
    """Language, title, viewport, one h1, one main landmark, a footer; headings skip no level."""
    page = SAMPLES[name]()
    document = Document(page)
    tags = [tag for tag, _ in document.elements]
    assert page.body.startswith(b"<!doctype html>\n")
    assert document.only("html") == {"lang": "en"}
    assert "".join(document.text["title"]).strip()
    assert [tags.count(tag) for tag in ("title", "h1", "main", "footer")] == [1, 1, 1, 1]
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    identifiers = [attributes["id"] for _, attributes in document.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    labels = [
        attributes["aria-labelledby"]
        for _, attributes in document.elements
        if "aria-labelledby" in attributes
    ]
    assert set(labels) <= set(identifiers)


@every_page
def test_a_page_has_no_external_assets_and_is_small(name: str) -> None:
    """Nothing is fetched for a page, nothing is styled or scripted by attribute, and it stays under 12 KB."""
    page = SAMPLES[name]()
    document = Document(page)
    attributes = {key for _, found in document.elements for key in found}
    assert not {tag for tag, _ in document.elements} & {"link", "img", "iframe", "object", "embed", "base"}
    assert not attributes & {"src", "srcset", "style"}
    assert not [key for key in attributes if key.startswith("on")]
    assert "url(" not in page_shell.asset("style.css")
    assert "@import" not in page_shell.asset("style.css")
    assert len(page.body) < 12_000


@every_page
def test_the_policy_matches_the_inline_texts(name: str) -> None:
    """The hashes in the header are those of the texts between the tags, computed anew."""
    page = SAMPLES[name]()
    policy = header(page, "content-security-policy")
    for directive, tag in (("style-src", "style"), ("script-src", "script")):
        texts = re.findall(rf"<{tag}>(.*?)</{tag}>", page.body.decode(), re.DOTALL)
        hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
        expected = [f"{directive} 'sha256-{value}'" for value in hashes]
        assert [part for part in policy.split("; ") if part.startswith(directive)] == expected
    for part in ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "img-src 'none'"):
        assert part in policy.split("; ")


@every_page
def test_r27_no_page_is_stored(name: str) -> None:
    """Every answer of our own is `no-store`, and its type is not guessed."""
    page = SAMPLES[name]()
    assert header(page, "cache-control") == "no-store"
    assert header(page, "x-content-type-options") == "nosniff"
    assert header(page, "content-type") == "text/html; charset=utf-8"


@every_page
def test_r34_no_page_leaks_its_address(name: str) -> None:
    """`no-referrer`, or `same-origin` where a form has to send its Origin."""
    page = SAMPLES[name]()
    has_form = b"<form" in page.body
    to_us = name in WITH_FORM and name != TO_OTHERS
    assert header(page, "referrer-policy") == ("same-origin" if to_us else "no-referrer")
    assert not has_form or name in WITH_FORM


@every_page
def test_forms_go_where_the_policy_allows(name: str) -> None:
    """Ours lead to us, for Chromium checks the redirects too; one that is posted to a provider wherever that leads on."""
    (directive,) = [
        p for p in header(SAMPLES[name](), "content-security-policy").split("; ") if "form-action" in p
    ]
    expected = "'none'" if name not in WITH_FORM else "https:" if name == TO_OTHERS else "'self'"
    assert directive == f"form-action {expected}"


@pytest.mark.parametrize("name", MOVING)
def test_a_page_that_moves_on_has_a_link_to_do_it_by_hand(name: str) -> None:
    """Every page of ours that moves on by itself also has `<a id="continue" href>`."""
    assert Document(SAMPLES[name]()).by_id("continue")["href"]


@pytest.mark.parametrize(("name", "goal"), [("start", AUTHORIZE), ("landing", "/reports/7?year=2026&open=1")])
def test_a_moving_page_works_without_script(name: str, goal: str) -> None:
    """Without scripts a refresh inside `<noscript>` goes to the same place as the link."""
    document = Document(SAMPLES[name]())
    assert f"0;url={goal}" in [attributes.get("content") for _, attributes in document.elements]
    assert document.by_id("continue")["href"] == goal


def test_r33_a_return_address_too_long_for_the_cookie_travels_in_the_page() -> None:
    """What did not fit into the attempt's cookie is handed to sessionStorage; nothing is when it did."""
    for rd, kept in (("", None), ("/reports?" + "x" * 200, "/reports?" + "x" * 200)):
        link = Document(pages.start(authorize_url=AUTHORIZE, attempt=ATTEMPT, rd=rd)).by_id("continue")
        assert link.get("data-rd") == kept
        assert link["data-attempt"] == ATTEMPT


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"]
)
def test_landing_never_leaves_this_origin(target: str) -> None:
    """A target that is not a path of ours becomes the first page."""
    assert Document(pages.landing(target=target, attempt=ATTEMPT)).by_id("continue")["href"] == "/"


def everywhere(text: str) -> dict[str, Page]:
    """Every page, with this text wherever a value can come from outside."""
    hops = [HopLine(text, text, text, 0, text), HopLine("gateway", text, "returned", None, text)]
    hops += [HopLine("x", text, status, 1, text) for status in ("returned", "skipped", "failed", "pending")]
    long = text + "x" * 2000
    return {
        "start": pages.start(authorize_url=text, attempt=text, rd=long),
        "once more": pages.once_more(authorize_url=text, attempt=text, rd=long, earlier=text, why=text),
        "onward": pages.onward(target=text),
        "landing": pages.landing(target=text, attempt=text),
        "cookies": pages.cookies_blocked(sign_in_url=text),
        "loop": pages.login_loop(sign_in_url=text),
        "waiting": pages.waiting(resume_url=text, hop_label=text, seconds=5, refresh_url=text),
        "hop": pages.hop(action=text, fields=[(text, text)], hop_label=text),
        "confirm": pages.confirm_logout(action=text),
        "leaving": pages.leaving(url=text),
        "receipt": receipt(
            *hops,
            durable=False,
            why=text,
            sign_in_url=text,
            retry_action=text,
            resume_url=text,
            target_url=text,
        ),
        "receipt, unfinished": receipt(
            *hops, finished=False, sign_in_url=text, retry_action=text, resume_url=text, target_url=text
        ),
        "ended": pages.session_ended(reason=text, sign_in_url=text),
        "error": pages.error(
            status=403,
            title=text,
            what=text,
            fix=text,
            code=text,
            offers=(Offer(text, text), Offer(text, text, posts=True)),
        ),
        "sessions": pages.sessions(
            lines=[SessionLine(text, text, text, 1, 1, current) for current in (True, False)],
            complete=False,
            more=1,
            action=text,
        ),
        "oversized": pages.oversized_session(bytes_needed=1, budget=1, largest_claim=text),
    }


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    """No value changes what a page is made of, and none becomes an address that is not http(s) or local."""
    benign = {name: Document(page) for name, page in everywhere("plain").items()}
    for name, page in everywhere(text).items():
        document = Document(page)
        assert document.shape() == benign[name].shape(), name
        for address in document.addresses():
            is_local = address.startswith("/") and not re.match(r"/[/\\]", address)
            is_web = urlsplit(address).scheme in {"http", "https"} and bool(urlsplit(address).hostname)
            assert is_local or is_web, (name, address)
            assert not re.search(r"[\s\\\x00-\x1f]", address), (name, address)


SENTENCE = re.compile(r"(?<=[.?!:])\s+")


@every_page
def test_no_sentence_is_read_twice(name: str) -> None:
    """On no page; the outcomes of two hops may be the same but for their time."""
    document = Document(SAMPLES[name]())
    texts = [text for tag in ("p", "li", "h2", "h3", "strong") for text in document.text.get(tag, [])]
    said = [one.strip() for text in texts for one in SENTENCE.split(text) if len(one.split()) > 3]
    assert len(set(said)) == len(said)


def test_hostile_text_is_shown_as_written() -> None:
    """Escaping loses nothing: a reader sees exactly the text that was given."""
    text = "<b>&amp; \"quoted\" 'it' {{ 7*7 }}</b>"
    document = Document(pages.error(status=403, title="", what=text, fix="", code=""))
    assert text in document.text["p"]


def test_confirm_is_a_post_form() -> None:
    """Signing out takes a POST, whose answer is a page that moves on."""
    document = Document(SAMPLES["confirm"]())
    assert document.only("form") == {"class": "actions", "method": "post", "action": "/logout?via=page"}
    assert not [tag for tag, _ in document.elements if tag == "input"]


def test_the_receipt_gives_times_for_people_and_programs() -> None:
    """Times are `<time>` elements in UTC; the script only puts them into the reader's zone."""
    body = SAMPLES["receipt"]().body.decode()
    assert (
        'Sign-out confirmed at <time datetime="2026-10-07T14:03:14Z">14:03:14 UTC</time>. Okta ended' in body
    )
    assert '<time class="day" datetime="2026-10-07T14:03:12Z">7 October 2026</time>' in body


@pytest.mark.parametrize(
    ("name", "offered", "withheld"),
    [
        ("receipt", {"sign-in"}, {"continue", "target", "retry"}),
        ("receipt-failed", {"sign-in", "retry"}, {"continue"}),
        ("receipt-pending", {"continue"}, {"sign-in", "retry"}),
        ("receipt-target", {"target", "sign-in"}, {"retry", "continue"}),
        ("receipt-none", {"retry", "sign-in"}, {"continue"}),
    ],
)
def test_the_receipt_offers_what_helps_next(name: str, offered: set[str], withheld: set[str]) -> None:
    """Retry where something is not confirmed, continue where the chain is open, sign-in only at its end (R3)."""
    document = Document(SAMPLES[name]())
    found = {attributes["id"] for tag, attributes in document.elements if tag == "a" and "id" in attributes}
    found |= {"retry"} if any(tag == "form" for tag, _ in document.elements) else set()
    assert offered <= found
    assert not withheld & found


def test_r04_a_receipt_that_is_not_durable_says_so() -> None:
    """The receipt says "not durable" and that other instances are pending, and only then."""
    body = SAMPLES["receipt-not-durable"]().body
    assert message("receipt.pending").encode() in body
    assert b"not durable" in body
    assert b"durable" not in SAMPLES["receipt"]().body


def test_r35_a_tab_whose_session_ended_stays_where_it_is() -> None:
    """The public page has a button and no refresh, and its script goes nowhere: it only says where the button leads."""
    page = SAMPLES["session-ended"]()
    script = page_shell.asset("place.js")
    assert page.body.count(b"<script") == 1
    assert f"<script>{script}</script>".encode() in page.body
    assert not re.search(
        r"location\s*=|location\.(href|assign|replace|reload)|click\(|submit|open\(|fetch", script
    )
    assert b"http-equiv" not in page.body
    assert b'id="sign-in" href="/oauth2/start?rd=/">Sign in again</a>' in page.body


def test_waiting_looks_again_by_itself() -> None:
    """The waiting page reloads where it stands, or at the address given."""
    refreshes = [a["content"] for _, a in Document(SAMPLES["waiting"]()).elements if "http-equiv" in a]
    assert refreshes == ["5"]
    page = pages.waiting(resume_url="/logout", hop_label="Okta", seconds=3, refresh_url="/logged-out")
    assert [a["content"] for _, a in Document(page).elements if "http-equiv" in a] == ["3;url=/logged-out"]


def test_an_oversized_session_names_its_largest_claim() -> None:
    """P10: the page gives the size, the budget and the claim that fills it."""
    body = SAMPLES["oversized"]().body.decode()
    assert "9,412 bytes, where 5,500 fit" in body
    assert "“cognito:groups”" in body


def test_problem_documents_follow_rfc_9457() -> None:
    """Programs get type, title, status and code; optional members only when there is something to say."""
    page = pages.problem(status=403, code="denied", title="Not allowed")
    assert json.loads(page.body) == {
        "type": "about:blank",
        "title": "Not allowed",
        "status": 403,
        "code": "denied",
    }
    assert page.status == 403
    assert header(page, "content-type") == "application/problem+json"
    assert header(page, "cache-control") == "no-store"
    assert header(page, "referrer-policy") == "no-referrer"


def test_p09_a_401_tells_scripts_where_to_sign_in() -> None:
    """The login address is in the body."""
    login = "https://app.example.com/oauth2/start"
    page = pages.problem(
        status=401,
        code="login_required",
        title="Sign in",
        detail="No session.",
        extra={"retry": 2, "login_url": login},
    )
    members = json.loads(page.body)
    assert (members["login_url"], members["detail"], members["retry"]) == (login, "No session.", 2)


def test_extra_members_never_replace_the_standard_ones() -> None:
    """An extension member cannot change status or code."""
    page = pages.problem(status=403, code="denied", title="No", extra={"status": 200, "code": "fine"})
    assert json.loads(page.body)["status"] == 403
    assert json.loads(page.body)["code"] == "denied"
