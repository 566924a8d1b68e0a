"""What policies see of a request's context (rule R25)."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.core.policy.policy_set import MEMO_PATH, PolicySet
from gateway.core.policy.view import MOST_PATTERNS, Uses, View, is_like, mentioned
from tests.core.policy_samples import ask, parsed, somebody

EVERYTHING = {"host", "path", "client", "auth_age", "acr"}


def permitting(condition: str, clause: str = "when") -> PolicySet:
    return parsed(f'@id("a") permit (principal is User, action, resource) {clause} {{ {condition} }};')


@pytest.mark.parametrize(
    ("condition", "mentions"),
    [
        ("true", set()),
        ('principal.user == "path"', set()),
        ('context.path == "host"', {"path"}),
        ('context["path"] like "*"', {"path"}),
        ('context has acr && context.host == "h"', {"acr", "host"}),
        ('{"x": context}.x.host == "h"', EVERYTHING),
        ("[context].contains(context)", EVERYTHING),
        ('(if context.client.isLoopback() then context else context).host == "h"', EVERYTHING),
        ('if true then context.host == "h" else context.client == ip("::1")', {"host", "client"}),
        ('(if context.host == "h" then principal else principal) has email', {"host"}),
        ('{"x": context.host} == {"x": "h"}', {"host"}),
    ],
)
def test_r25_what_a_policy_mentions_is_never_underestimated(condition: str, mentions: set[str]) -> None:
    """Attributes are counted one by one; where the context is used as a whole, all are."""
    for clause in ("when", "unless"):
        assert permitting(condition, clause).mentions == mentions


def texts(*these: str) -> Uses:
    return Uses(texts=frozenset(these))


def patterns(*these: tuple[str, ...]) -> Uses:
    return Uses(patterns=frozenset(these))


@pytest.mark.parametrize(
    ("condition", "asks"),
    [
        ('context.host == "/a"', Uses()),
        ('context has path && principal.user like "/a*"', Uses()),
        ('context.path == "/a"', texts("/a")),
        ('"/a" != context["path"]', texts("/a")),
        (r'"\u{1F600}\0\x41" == context.path', texts("😀\0A")),
        ('["/a", "/b"].contains(context.path)', texts("/a", "/b")),
        ('context.path like "/a"', texts("/a")),
        (r'context.path like "/a\*"', texts("/a*")),
        ('context.path like "/a*"', patterns(("/a", ""))),
        (r'context.path like "*\**b\\**"', patterns(("", "*", "b\\", "", ""))),
        ('!(context.path like "/*b") && context.path == "/c"', patterns(("/", "b")) | texts("/c")),
        ('(if context.path == "/b" then principal else principal) has email', texts("/b")),
        ('{"x": context.path == "/b"}.x', texts("/b")),
        (
            'if context.path like "*a" then context.host == "h" else context.path == "/b"',
            patterns(("", "a")) | texts("/b"),
        ),
    ],
)
def test_r25_tests_of_the_path_are_found(condition: str, asks: Uses) -> None:
    """Comparisons with texts and patterns are all that is asked, wherever in a condition they are."""
    for clause in ("when", "unless"):
        assert permitting(condition, clause).policies[0].of_path == asks


@pytest.mark.parametrize(
    "condition",
    [
        "context.path == principal.user",
        "context.path != context.host",
        "[context.path].contains(principal.user)",
        '["/b", principal.user].contains(context.path)',
        '["/b"].containsAny([context.path])',
        '["/b"].contains({"p": context.path}.p)',
        '{"p": context.path}.p like "/b*"',
        '(if context.host == "h" then context.path else context.host) like "/b*"',
        '{"c": context}.c.path like "/b*"',
        '(if context.host == "h" then context else context).path == "/b"',
        "[context].contains(context)",
    ],
)
def test_r25_any_other_use_of_the_path_puts_the_path_into_the_key(condition: str) -> None:
    """Once the path is more than tested, in one policy of a set, no two paths share a decision."""
    other = '@id("o") permit (principal is User, action, resource) when { context.path like "/o*" };'
    policies = parsed(
        other + f'@id("a") forbid (principal is User, action, resource) when {{ {condition} }};'
    )
    assert policies.policies[1].of_path.needs_text
    assert ask(policies, somebody(), path="/o1") is ask(policies, somebody(), path="/o1")
    assert ask(policies, somebody(), path="/o1") is not ask(policies, somebody(), path="/o2")


def test_r25_paths_that_policies_cannot_tell_apart_share_a_decision() -> None:
    """A path that never came before is decided from memory, one on the other side of a test is not."""
    policies = permitting('context.path like "/a*" || context.path == "/b" || context.path like "/c*z"')
    first = ask(policies, somebody(), path="/a/" + "x" * MEMO_PATH)
    assert ask(policies, somebody(), path="/a/2") is first
    assert ask(policies, somebody(), path="/b").allowed
    assert not ask(policies, somebody(), path="/b/2").allowed
    assert ask(policies, somebody(), path="/c/2") is ask(policies, somebody(), path="/d/2")


@pytest.mark.parametrize(
    ("condition", "yes", "no"),
    [
        ('context.path like "/a*" && !(context.path like "/a/b*")', "/a/a", "/a/b"),
        ('context.path like "/a.*"', "/a.b", "/ab"),
        ('context.path like "/a*b"', "/ab", "/a"),
        ('context.path like "/a*" && context.path like "*/b/*"', "/a/b/c", "/a/b"),
        ('context.path like "*a" || context.path == "/b"', "/b", "/c"),
    ],
)
def test_r25_paths_on_two_sides_of_a_test_share_no_decision(condition: str, yes: str, no: str) -> None:
    """Whichever came first, the other is asked for itself."""
    for order in ((yes, no), (no, yes)):
        policies = permitting(condition)
        assert [ask(policies, somebody(), path=path).allowed for path in order] == [
            path == yes for path in order
        ]


def test_r25_a_path_that_is_no_unicode_shares_no_decision() -> None:
    """Cedar fails on a lone surrogate and reads two as one character, whatever our own tests say of them."""
    policies = permitting(r'context.path like "/a*" || context.path like "*\u{1F600}"')
    assert ask(policies, somebody(), path="/a").allowed
    assert ask(policies, somebody(), path="/a\ud800").code == "policy_error"
    assert not ask(policies, somebody(), path="/b").allowed
    assert ask(policies, somebody(), path="/b\ud83d\ude00").allowed


def test_r25_a_set_with_very_many_patterns_is_remembered_by_path() -> None:
    """Testing them all would take longer than it spares; prefixes and texts are one look each, however many."""

    def seen(number: int, *rest: str) -> Any:
        return View([Uses(frozenset({"/x"}), frozenset({(f"/{n}/", *rest)})) for n in range(number)]).seen("/1/b")  # fmt: skip

    assert seen(1_000, "") == ("/1/",)
    assert seen(MOST_PATTERNS, "b") != "/1/b"
    assert seen(MOST_PATTERNS + 1, "b") == "/1/b"


def test_what_is_no_part_of_a_policy_cannot_be_overlooked() -> None:
    """A kind of node that nobody has thought of is an error, not nothing."""
    with pytest.raises(TypeError, match="object is no part of a policy"):
        mentioned((object(),))


ALPHABET = "ab*é😀\n"
WILDCARD = None
words = st.text("ab*", max_size=3)
wild = st.lists(st.sampled_from([*ALPHABET, WILDCARD, WILDCARD]), max_size=7)
short = st.lists(st.sampled_from(["a", "b", "*", WILDCARD, WILDCARD]), max_size=4)
prefixes = st.lists(st.sampled_from(["a", "a", "b"]), max_size=2).map(lambda letters: [*letters, WILDCARD])


def quoted(word: str) -> str:
    return '"' + "".join(f"\\u{{{ord(character):x}}}" for character in word) + '"'


def pattern(parts: list[str | None]) -> str:
    written = ["*" if part is WILDCARD else "\\*" if part == "*" else quoted(part)[1:-1] for part in parts]
    return '"' + "".join(written) + '"'


def pieces(parts: list[str | None]) -> tuple[str, ...]:
    return tuple("".join("\0" if part is WILDCARD else part for part in parts).split("\0"))


@given(wild.filter(lambda parts: WILDCARD in parts), st.lists(st.text(ALPHABET, max_size=9), min_size=1))
@example(parts=["a", "b", None, "b", "a"], candidates=["aba", "abba", "ababa", "abxba"])
@example(parts=["a", None, "b", None, "b"], candidates=["ab", "abb"])
@example(parts=[None, "a", "b", None, "a", None], candidates=["aab", "aaba", "baab", "abb"])
def test_is_like_is_cedars_like(parts: list[str | None], candidates: list[str]) -> None:
    """Our reading of a pattern and its syntax tree is Cedar's, for every text."""
    policies = permitting(f"context.path like {pattern(parts)}")
    assert policies.policies[0].of_path.patterns == {pieces(parts)}
    direct = PolicySet(policies.policies, policies.schema, "1", memo_size=0)
    for text in candidates:
        assert is_like(text, pieces(parts)) == ask(direct, somebody(), path=text).allowed


leaves = st.one_of(
    st.builds("context.path like {}".format, short.map(pattern)),
    st.builds("context.path like {}".format, prefixes.map(pattern)),
    st.builds("context.path == {}".format, words.map(quoted)),
    st.builds("{} != context.path".format, words.map(quoted)),
    st.builds(
        "[{}].contains(context.path)".format,
        st.lists(words.map(quoted), min_size=1, max_size=3).map(", ".join),
    ),
    st.sampled_from(["context has path", 'context.host == "h"', "true"]),
)
whole = st.sampled_from(
    [
        "context.path == principal.user",
        '{"p": context.path}.p == "a"',
        '(if context.host == "h" then context else context).path == "a"',
    ]
)
conditions = st.recursive(
    st.one_of(*[leaves] * 19, whole),
    lambda inner: st.one_of(
        st.builds("!({})".format, inner),
        st.builds("({}) && ({})".format, inner, inner),
        st.builds("({}) || ({})".format, inner, inner),
        st.builds("if {} then {} else {}".format, inner, inner, inner),
    ),
    max_leaves=3,
)
rules = st.builds(
    "{} (principal is User, action, resource) {} {{ {} }};".format,
    st.sampled_from(["permit"] * 5 + ["forbid"]),
    st.sampled_from(["when", "unless"]),
    conditions,
)


PATHS = ["".join(letters) for length in range(4) for letters in product("ab*", repeat=length)]


@settings(max_examples=200)
@given(st.lists(rules, min_size=1, max_size=5), st.permutations(PATHS), st.sampled_from(["h", "i"]))
def test_r25_a_path_is_decided_by_what_policies_see_of_it(
    written: list[str], paths: list[str], host: str
) -> None:
    """Whatever paths came before, through the memory the answer is that of Cedar asked directly."""
    policies = parsed("\n".join(f'@id("p{number}") {rule}' for number, rule in enumerate(written)))
    direct = PolicySet(policies.policies, policies.schema, policies.version, memo_size=0)
    for path in paths:
        asked, told = (ask(each, somebody("a"), path=path, host=host) for each in (policies, direct))
        assert asked == told, path
