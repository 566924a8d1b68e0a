"""The shell of the pages: policy headers, addresses, templates."""

from __future__ import annotations

import pytest

from gateway.core.http import target
from gateway.web.pages import shell as page_shell
from gateway.web.pages.shell import FormsTo, content_security_policy, local_path, web_address
from tests.corpus.read import lines

HASH_OF_ABC = "'sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='"  # FIPS 180-2, appendix B.1


def test_the_policy_names_the_inline_texts_by_hash() -> None:
    """A page's policy allows exactly its stylesheet and its script, and nothing from anywhere else."""
    policy = content_security_policy("abc", "abc", FormsTo.NOBODY)
    assert policy == (
        f"default-src 'none'; style-src {HASH_OF_ABC}; script-src {HASH_OF_ABC}; form-action 'none'; "
        "base-uri 'none'; frame-ancestors 'none'; img-src 'none'"
    )


def test_a_page_without_script_allows_none() -> None:
    """Without a script there is no script-src, so default-src 'none' holds."""
    assert "script-src" not in content_security_policy("abc", "", FormsTo.NOBODY)


def test_forms_lead_to_us_or_to_a_provider() -> None:
    """A page names one kind of place; over https the provider's form leads nowhere without it."""
    said = {where: content_security_policy("abc", "", where) for where in FormsTo}
    assert "form-action 'self';" in said[FormsTo.US]
    assert "form-action https:;" in said[FormsTo.PROVIDER]
    assert "form-action http: https:;" in said[FormsTo.LOCAL_PROVIDER]


@pytest.mark.parametrize(
    "url",
    [
        "https://idp.example/a?b=c&d=%22#e",
        "http://app.localhost:8080/",
        "/",
        "/a/b?c=//d",
        "https://bücher.example/",
    ],
)
def test_web_addresses_and_local_paths_pass(url: str) -> None:
    """An http(s) address or a path of this origin is linked to as it is."""
    assert web_address(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "https:evil",
        "https://[",
        "",
        "a",
    ],
)
def test_any_other_address_becomes_the_first_page(url: str) -> None:
    """What is no safe address costs the place, never the safety."""
    assert web_address(url) == "/"


def test_a_local_path_is_never_another_site() -> None:
    """Where only our own origin will do, an absolute address is refused too."""
    assert local_path("https://app.example.com/") == "/"
    assert local_path("/logout?to=shop") == "/logout?to=shop"


@pytest.mark.parametrize("url", ["/reports?q=\\d+", "/a?b=c|d^`\"<>'", "/a?b=//c"])
def test_there_is_one_rule_for_local_paths(url: str) -> None:
    """What the door takes for a target of this origin is one to a page of ours too."""
    assert target.local_path(url) == local_path(url) == web_address(url) == url


def test_no_page_calls_local_what_the_door_refuses() -> None:
    """The corpus of redirects, read by either."""
    for text in lines("open_redirects.txt"):
        assert local_path(text) == (target.local_path(text) or "/")


def test_inline_texts_cannot_end_their_element() -> None:
    """No stylesheet or script holds a closing tag, which would end it before its hash is complete."""
    for name in ("style.css", "start.js", "landing.js", "local_time.js", "place.js"):
        assert "</" not in page_shell.asset(name)
        assert "<!--" not in page_shell.asset(name)
