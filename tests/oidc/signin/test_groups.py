"""Names of groups in every shape that providers give them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.oidc.signin.groups import SHAPES, names_in

SHAPED = [
    ("brackets", "[admins, staff]", ("admins", "staff")),
    ("brackets", "[admins,staff]", ("admins", "staff")),
    ("brackets", "[admins]", ("admins",)),
    ("brackets", " [admins , staff, admins,] ", ("admins", "staff")),
    ("brackets", "admins", ("admins",)),
    ("brackets", "Sales, EMEA", ("Sales, EMEA",)),
    ("brackets", "[]", ()),
    ("brackets", '["a, b","c"]', ("a, b", "c")),
    ("brackets", "[1, 2]", ("1", "2")),
    ("json", '["admins", "staff"]', ("admins", "staff")),
    ("json", '["a, b", "[c]"]', ("a, b", "[c]")),
    ("json", "[]", ()),
    ("json", "[admins, staff]", None),
    ("json", '"admins"', None),
    ("json", '[["a"]]', None),
    ("json", "[1]", None),
    ("json", '["a\\u0000"]', None),
    ("json", "[" * 100_000, None),
    ("comma", "admins,staff", ("admins", "staff")),
    ("comma", " admins , staff,,", ("admins", "staff")),
    ("comma", "admins", ("admins",)),
    ("comma", " , ", ()),
    ("comma", "a\n,b", None),
    ("list", "admins,staff", ("admins,staff",)),
    ("list", "[admins, staff]", ("[admins, staff]",)),
    ("", "[admins, staff]", ("admins", "staff")),
    ("", '["admins","staff"]', ("admins", "staff")),
    ("", "admins,staff", ("admins,staff",)),
    ("", "cn=admins,ou=groups", ("cn=admins,ou=groups",)),
    ("", "[admins", ("[admins",)),
]


@pytest.mark.parametrize(("shape", "said", "read"), SHAPED)
def test_a_text_is_read_in_the_shape_that_it_is_said_to_have(
    shape: str, said: str, read: tuple[str, ...] | None
) -> None:
    """And only brackets are guessed, which no name of a group has around it: a comma may be part of one."""
    assert names_in(said, shape) == read


@pytest.mark.parametrize(
    ("said", "shape", "read"),
    [
        ("admins,staff", "", ("admins", "staff")),
        ("admins", "", ("admins",)),
        ("[a b, c]", "", ("a b", "c")),
        ('["a, b"]', "", ("a, b",)),
        ("cn=admins,ou=groups", "", ("cn=admins,ou=groups",)),
        ("admins,staff", "list", ("admins,staff",)),
        ("admins,staff", "brackets", ("admins,staff",)),
    ],
)
def test_where_a_claim_can_be_no_list_commas_are_guessed_too(
    said: str, shape: str, read: tuple[str, ...]
) -> None:
    """But not those that are part of an entry's name in a directory, and nothing is guessed where a shape is said."""
    assert names_in(said, shape, is_text=True) == read


@pytest.mark.parametrize("shape", ["", *SHAPES])
def test_a_list_is_a_list_in_every_shape(shape: str) -> None:
    """A provider that learns to send one needs no other configuration; no claim is no group."""
    assert names_in(["a, b", "[c]", "a, b"], shape) == ("a, b", "[c]")
    assert names_in(None, shape) == names_in("", shape) == names_in([], shape) == ()


@pytest.mark.parametrize("shape", ["", *SHAPES])
@pytest.mark.parametrize("said", [7, True, {"a": 1}, [7], [""], ["a", None], [["a"]], ["a\nb"], 1.5])
def test_what_has_no_names_is_not_read_in_part(shape: str, said: Any) -> None:
    """The name that was dropped could be the one that forbids."""
    assert names_in(said, shape) is None


@given(st.lists(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1), unique=True))
def test_what_is_written_in_a_shape_is_read_in_it(names: list[str]) -> None:
    """Each shape loses nothing of names that have nothing of its own signs."""
    written = {
        "json": json.dumps(names),
        "comma": ",".join(names),
        "brackets": f"[{', '.join(names)}]",
        "list": names,
    }
    for shape, text in written.items():
        assert names_in(text, shape) == tuple(names), shape
