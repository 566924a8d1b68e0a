"""`place.js`: where "Sign in again" leads, out of what the gateway knows and what the tab has kept (pains P22, P25)."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from deploy.demo.build import node_and_npm
from gateway.web.pages.shell import asset

APP = "https://app.example.com"
START = f"{APP}/auth/start"
BROWSER = """
const put = (name, value) => Object.defineProperty(globalThis, name, {value, configurable: true});
put("location", new URL("%s/logged-out"));
console.log(JSON.stringify(JSON.parse(process.argv[1]).map(([href, place]) => {
  const link = {href};
  put("document", {getElementById: (id) => id == "sign-in" && href ? link : null});
  put("sessionStorage", {getItem: (name) => name == "gateway:place" ? place : null});
  (0, eval)(process.argv[2]);
  return link.href;
})));
"""


def lead_to(*pages: tuple[str, str | None]) -> list[str]:
    """For each link and what the tab keeps: the link's address after the script has run, as a browser would run it."""
    node, _ = node_and_npm()
    program: list[Any] = [node, "-e", BROWSER % APP, json.dumps(pages), asset("place.js")]
    done = subprocess.run(program, capture_output=True, check=True)
    return list(map(str, json.loads(done.stdout)))


KNOWN = {
    ("", "/"): "?tab=&rd=%2F",
    ("", "/a/b?q=%2F&r=x+y#/in"): "?tab=&rd=%2Fa%2Fb%3Fq%3D%252F%26r%3Dx%2By#/in",
    ("?rd=/", "/a#b"): "?tab=&rd=%2Fa#b",  # of a Referer that says no more than the origin
    ("?after=", "/a#b"): "?tab=&rd=%2Fa#b",  # where it was pressed, perhaps in another tab
    ("?rd=/a%3Fb", "/a?b#c"): "?rd=/a%3Fb#c",
    ("?after=&rd=/a", "/a#c"): "?after=&rd=/a#c",
    ("?after=&rd=/a", "/b#c"): "?after=&rd=/a",  # a link that somebody has opened since
    ("?after=another", "/a#b"): "?after=another",
    ("?after=0123abcd", "/a#b"): "?after=0123abcd",
    ("", "/" + "x" * 4_096): "",
}
"""By what the gateway knows, and the place in the application that the tab keeps."""


def test_p22_the_link_leads_where_the_tab_was_unless_somebody_wanted_to_go_elsewhere() -> None:
    """The fragment comes along where the page is the same."""
    found = lead_to(*((START + known, APP + place) for known, place in KNOWN))
    assert dict(zip(KNOWN, found, strict=True)) == {case: START + end for case, end in KNOWN.items()}


def test_p25_whatever_the_tab_keeps_the_link_stays_at_the_sign_in() -> None:
    """What is no address of this origin is nothing."""
    places = [None, "", "junk", "https://evil.example/a", "javascript:alert(1)", "//evil.example/a", f"{APP}:444/a",
              f"{APP}.evil/", "https://app.example.com@evil.example/", "http://app.example.com/a"]  # fmt: skip
    assert set(lead_to(*((f"{START}?rd=/", place) for place in places))) == {f"{START}?rd=/"}


def test_p25_it_leaves_to_the_gateway_what_is_a_way_back() -> None:
    """`query.way_back` has the one rule."""
    places = [APP + path for path in ("//evil.example/", "/\\\\evil.example/", "/logout", "/auth/start")]
    found = lead_to(*((START, place) for place in [*places, f"blob:{APP}/logout"]))
    assert [link for link in found if not link.startswith(f"{START}?tab=&rd=")] == []


def test_a_page_without_that_link_stays_as_it_is() -> None:
    assert lead_to(("", f"{APP}/a")) == [""]
