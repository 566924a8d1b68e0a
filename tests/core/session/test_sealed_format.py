"""What is sealed: named fields with a version, that replicas of different releases read of each other."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field, make_dataclass, replace
from typing import Annotated, Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.session.attempt import FORMAT as ATTEMPT
from gateway.core.session.attempt import Attempt
from gateway.core.session.sealed_format import RESERVED, Format
from gateway.core.session.session import FORMAT as SESSION
from gateway.core.session.session import Principal, Session, Ticket
from gateway.core.session.ticket import FORMAT as TICKET
from gateway.core.signout.chain import FAILED, Chain, HopState, Interrupted
from gateway.core.signout.chain import FORMAT as CHAIN
from gateway.core.signout.token_hold import FORMAT as PARKED
from gateway.core.signout.token_hold import Parked
from gateway.web.signout.hint import FORMAT as HINT
from gateway.web.signout.hint import Hint

WHO = Principal(
    "https://idp.example", "s-1", "alice", "alice@example.com", ("admins", "é"), "al", {"n": [1, {"a": None}]}, "mfa", 7
)  # fmt: skip
HOP = HopState("cognito", FAILED, 12, "no_return", 2, "no_hint")
WENT = Interrupted("0123abcd", "/reports?x=1", led=True)
TICKET_OF = Ticket("sid", bytes(range(32)), "https://idp.example", "s-1", "log", 1, 2, 3)
FULL: list[Any] = [
    WHO,
    HOP,
    WENT,
    Session("sid", "log", WHO, ("sub:a|b", "email:c"), 1, 2, 3, 4, 5, "refresh", 6, "access", 7, {"tour": 1}, "hint"),
    TICKET_OF,
    Attempt("s" * 22, 1, "/", 2, 3, True, 4, landed=True, led=True, seen=5, log="log", prompt="login", max_age=0),
    Chain(
        1, (HOP, HopState("okta")), 1, 2, "home", 3, False, False, "nonce", 4, "log", "sid", who=(None, "s-1", "alice"),
        names=("a", "b"), marked=5, reason="operator", interrupted=WENT,
    ),
    Parked("sid", ("a", "b"), 3, TICKET_OF, ("s-1", "alice")),
    Hint("sid", "the.id.token"),
]  # fmt: skip
SEALED: list[Format[Any]] = [SESSION, TICKET, ATTEMPT, CHAIN, PARKED, HINT]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def named(made: type) -> dict[str, str]:
    """The fields of a class that are sealed, and as what."""
    hints = get_type_hints(made, include_extras=True)
    return {each: get_args(hint)[1] for each, hint in hints.items() if hasattr(hint, "__metadata__")}


def before(made: type, name: str) -> Format[Any]:
    """Of a release in which a class did not have the field ``name`` yet."""
    hints = get_type_hints(made, include_extras=True)
    older = [
        (each.name, hints[each.name], field(default=each.default, default_factory=each.default_factory))
        for each in dataclasses.fields(made)
        if each.name != name
    ]
    return Format(make_dataclass(made.__name__, older, frozen=True, kw_only=True))


def through(made: Format[Any], value: object) -> dict[str, Any]:
    """What comes out of the box."""
    plain: dict[str, Any] = json.loads(json.dumps(made.plain(value)))
    return plain


@pytest.mark.parametrize("full", FULL, ids=lambda full: type(full).__name__)
def test_every_field_comes_back(full: Any) -> None:
    """Each of them set to something that is not its default, under a name of its own."""
    made: Format[Any] = Format(type(full))
    names = named(type(full))
    assert set(through(made, full)) == {"v", *names.values()}
    assert made.read(through(made, full)) == full


def defaults(full: Any) -> dict[str, object]:
    """The sealed fields that may be left out, with what is meant then."""
    every = [each for each in dataclasses.fields(full) if each.name in named(type(full))]
    given = {each.name: each.default for each in every if each.default is not dataclasses.MISSING}
    made = {
        each.name: each.default_factory() for each in every if each.default_factory is not dataclasses.MISSING
    }
    return given | made


LATER = [(full, name, default) for full in FULL for name, default in defaults(full).items()]


@pytest.mark.parametrize(
    ("full", "name", "default"), LATER, ids=lambda at: at if isinstance(at, str) else type(at).__name__
)
def test_a_rolling_update_loses_no_field_and_refuses_nobody(full: Any, name: str, default: object) -> None:
    """Whatever field a later release has: the older one reads what that has sealed, and loses nothing of it when it
    seals it again; and what the older one has sealed the later one reads.
    """
    later, older = Format(type(full)), before(type(full), name)
    read = older.read(through(later, full))
    assert read is not None
    assert later.read(through(older, read)) == full
    assert later.read(through(older, replace(read, more=""))) == replace(full, **{name: default})


def test_what_a_later_release_has_put_inside_is_kept_as_well() -> None:
    """Of a principal, a hop and an interrupted sign-in, when something else of them changes."""
    plain = through(SESSION, FULL[3])
    plain["p"]["zz"] = ["x"]
    session = SESSION.read(plain)
    assert session is not None
    assert through(SESSION, replace(session, idle_until=9)) == plain | {"d": 9}

    plain = through(CHAIN, FULL[6])
    plain["h"][1]["zz"], plain["j"]["zz"], plain["zz"] = 1, {"a": 2}, None
    chain = CHAIN.read(plain)
    assert chain is not None
    assert through(CHAIN, replace(chain, marked=9)) == plain | {"m": 9}


@pytest.mark.parametrize("full", FULL, ids=lambda full: type(full).__name__)
@pytest.mark.parametrize("name", ["Jk", "Ap", "Z", "Éa"])
def test_what_narrows_a_value_is_never_passed_over(full: Any, name: str) -> None:
    """A name with a capital letter that is not known here: the whole is nothing."""
    made: Format[Any] = Format(type(full))
    assert made.read(through(made, full) | {name: "x"}) is None
    assert made.read(through(made, full) | {name.lower(): "x"}) is not None


def test_what_narrows_a_part_narrows_the_whole() -> None:
    """As deep as it may stand."""
    plain = through(SESSION, FULL[3])
    plain["p"]["Jk"] = "x"
    assert SESSION.read(plain) is None


@pytest.mark.parametrize("version", [0, 2, "1", 1.0, True, None, []])
def test_another_version_is_nothing(version: object) -> None:
    """Nobody can know what its fields mean."""
    for made, full in zip(SEALED, FULL[3:], strict=True):
        assert made.read(through(made, full) | {"v": version}) is None
        assert made.read({name: value for name, value in through(made, full).items() if name != "v"}) is None


BEFORE_VERSION_1: list[tuple[Format[Any], dict[str, Any]]] = [
    (SESSION, {"v": 2, "i": "sid", "l": "log", "k": ["sub:a|b"], "a": 1, "s": 2, "d": 3, "x": 4, "g": 0, "r": None,
               "t": None, "b": None, "e": {}, "p": ["https://idp", "s-1", "alice", None, [], None, {}, None, 0]}),
    (TICKET, {"v": 1, "i": "sid", "k": "A" * 43 + "=", "w": ["https://idp", "s-1"], "l": "log", "a": 1, "s": 2, "x": 3}),
    (ATTEMPT, {"a": ["s" * 22, 1, "/", 0, 0, False, 0], "l": ["log", 5]}),
    (CHAIN, {"h": [["okta", "pending", 0, "", 1, ""]], "c": [1, 0, 2, "", 0, True, True, "n", 0, "", "sid"], "w": None, "n": [0]}),
    (PARKED, {"v": 1, "i": "sid", "r": ["a"], "g": 0, "k": "A" * 43 + "=", "w": ["s-1"]}),
    (HINT, {"s": "sid", "h": "hint"}),
]  # fmt: skip


@pytest.mark.parametrize(("made", "plain"), BEFORE_VERSION_1)
def test_what_was_sealed_before_version_1_is_nothing(made: Format[Any], plain: dict[str, Any]) -> None:
    """Once, people sign in again; none of it is taken for something else."""
    assert made.read(plain) is None


@pytest.mark.parametrize("name", [*RESERVED, *(name.capitalize() for name in RESERVED)])
def test_names_for_what_is_to_come_are_free(name: str) -> None:
    """No class can take one by mistake, and none has."""

    def taking() -> type:
        return make_dataclass(
            "Taking", [("a", Annotated[str, "a"]), ("b", Annotated[str, name]), ("more", str)]
        )

    with pytest.raises(ValueError, match="cannot be sealed"):
        Format(taking())


def test_no_two_fields_have_one_name() -> None:
    """Or one would be lost."""

    @dataclass
    class Twice:
        one: Annotated[str, "a"]
        other: Annotated[str, "a"]
        more: str = ""

    with pytest.raises(ValueError, match="cannot be sealed"):
        Format(Twice)


def test_no_chain_can_be_taken_for_nothing_by_its_names() -> None:
    """That would lose a sign-out halfway, in whoever does not know them."""
    assert not [
        name
        for made in (Chain, HopState, Interrupted)
        for name in named(made).values()
        if name != name.lower()
    ]


HOSTILE: list[tuple[Format[Any], list[dict[str, Any]]]] = [
    (SESSION, [{"p": None}, {"p": []}, {"p": {"i": "x"}}, {"k": "ab"}, {"k": [None]}, {"k": {}}, {"e": []}, {"d": None},
               {"a": 1.0}, {"s": True}, {"r": 7}, {"t": "6"}, {"b": []}, {"h": {}}]),
    (TICKET, [{"k": "not base64!"}, {"k": "AAAA"}, {"k": "é" * 44}, {"k": 5}, {"k": None}, {"k": ""}, {"i": None}, {"s": "5"}]),
    (ATTEMPT, [{"k": None}, {"r": 1}, {"r": None}, {"m": "x"}, {"m": False}, {"d": None}, {"t": "1"}, {"s": 5.5}]),
    (CHAIN, [{"h": [], "c": 0}, {"h": {}}, {"h": [["okta"]]}, {"h": [None]}, {"h": [{}]}, {"h": "ab"}, {"i": -1, "c": 0},
             {"i": 2, "c": 0}, {"c": False}, {"j": []}, {"j": {"o": 1}}, {"w": ["a", "b"]}, {"w": [1, "a", "b"]},
             {"w": ["a", "b", "c", "d"]}, {"w": {}}, {"n": [1]}]),
    (PARKED, [{"w": None}, {"w": ["one"]}, {"w": [1, 2]}, {"w": ["a", "b", "c"]}, {"k": "A" * 44}, {"k": {}}, {"k": 5},
              {"r": None}, {"r": [1]}, {"r": "ab"}, {"i": 7}, {"g": "3"}, {"g": True}]),
    (HINT, [{"s": None}, {"h": 1}, {"h": ["x"]}]),
]  # fmt: skip


@pytest.mark.parametrize(("made", "changes"), [(made, one) for made, several in HOSTILE for one in several])
def test_a_field_of_another_kind_makes_the_whole_nothing(made: Format[Any], changes: dict[str, Any]) -> None:
    """Nothing is made of it that is nearly the same."""
    plain = through(made, FULL[3:][SEALED.index(made)])
    assert made.read(plain) is not None
    assert made.read(plain | changes) is None


def test_what_is_nested_too_deeply_is_nothing() -> None:
    """Wherever it stands."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for made, full in zip(SEALED, FULL[3:], strict=True):
        assert made.read(through(made, full) | {"zz": deep}) is None


@given(st.sampled_from(FULL), st.data())
def test_no_field_is_taken_for_another_kind(full: Any, data: st.DataObject) -> None:
    """A value in which every field has its kind, or nothing; never an error."""
    made: Format[Any] = Format(type(full))
    plain = through(made, full)
    changed = data.draw(st.dictionaries(st.sampled_from(sorted(plain)), JSON, max_size=3))
    for name in data.draw(st.sets(st.sampled_from(sorted(plain)), max_size=2)):
        del plain[name]
    found = made.read(plain | changed)
    if found is not None:
        json.dumps(made.plain(found))
        for name, hint in get_type_hints(type(full)).items():
            if hint in {str, int, bool, bytes}:
                assert type(getattr(found, name)) is hint
    if isinstance(found, Chain):
        assert found.closed or found.current is not None


@given(JSON)
def test_junk_is_nothing(junk: Any) -> None:
    """At the top and in the place of what stands inside."""
    for made in SEALED:
        assert made.read(junk if isinstance(junk, dict) else {"v": 1, "i": junk}) is None
        assert made.read_from(None) is None
    for name in "ph":
        found = SESSION.read(through(SESSION, FULL[3]) | {name: junk})
        assert found is None or (name == "h" and isinstance(junk, str | None))
