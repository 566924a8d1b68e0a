"""The first pass: the shape of the file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.yaml_tree import read_tree


def read(text: str):
    values, _, findings = read_tree(text, "g.yaml")
    return values, [str(finding) for finding in findings]


def test_scalars_stay_the_text_they_are():
    """Whether a word is a number, a time or a switch is for its key to say."""
    text = 'a: no\nb: 0123\nc: 12:30\nd: 1e3\ne: "null"\nf: 2024-01-01\non: x\n'

    values, findings = read(text)

    assert values == {
        "a": "no",
        "b": "0123",
        "c": "12:30",
        "d": "1e3",
        "e": "null",
        "f": "2024-01-01",
        "on": "x",
    }
    assert not findings


@pytest.mark.parametrize("blank", ["a:", "a: ~", "a: null"])
def test_blank_is_none(blank):
    """A key without a value has none, in each of YAML's spellings."""
    assert read(blank) == ({"a": None}, [])


def test_every_key_and_item_has_its_place():
    """Line and column count from one and point at the key, or at the item of a list."""
    _, places, _ = read_tree("a:\n  - {b: 1}\n  - c\n", "g.yaml")

    assert str(places.of(("a",))) == "g.yaml:1:1"
    assert str(places.of(("a", 0, "b"))) == "g.yaml:2:6"
    assert str(places.of(("a", 1))) == "g.yaml:3:5"
    assert str(places.of(("a", 7, "x"))) == "g.yaml:1:1"


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("a: 1\nb: 2\na: 3\n", "g.yaml:3:1 a: `a` is already set on line 1; keep one of the two"),
        ("s:\n  a: 1\n  a: 2\n", "g.yaml:3:3 s.a: `a` is already set on line 2; keep one of the two"),
        ("a: &x 1\nb: *x\n", "g.yaml:1:4 b: is an alias"),
        ("<<: {a: 1}\n", "g.yaml:1:1: has a merge key"),
        ("a: !!python/object/apply:os.system [id]\n", "g.yaml:1:4 a: has a tag"),
        ("a: !env X\n", "g.yaml:1:4 a: has a tag"),
        ("? [x]\n: 1\n", "g.yaml:1:3: has a key that is not a word"),
        ("- a\n", "g.yaml:1:1: is not a list of keys and values"),
        ("a: [1\n", "g.yaml:1:4: `a` has a bracket that is not closed"),
        ("a: 1\n b: 2\n", "g.yaml:2:3: `b` begins further right"),
        ("a: 1\n---\nb: 2\n", "g.yaml:2:1: the line begins a second document"),
        ("a: 1\nb: \x07\n", "g.yaml:2:4: holds a character that YAML forbids"),
        ("a: " + "[" * 3000, "g.yaml:1:1: is nested too deeply"),
    ],
)
def test_what_is_refused_is_named_with_its_place(text, finding):
    """Duplicate keys, aliases, tags, merges and broken YAML are findings, not surprises."""
    _, findings = read(text)

    assert len(findings) == 1
    assert findings[0].startswith(finding)
    assert "; " in findings[0]


def test_an_empty_file_has_no_keys():
    """Nothing but comments is a configuration without keys: the environment may give them all."""
    assert read("# nothing\n") == ({}, [])


@given(st.text(max_size=200))
def test_no_text_makes_the_reader_fail(text):
    """Any text is a tree or findings."""
    values, findings = read(text)

    assert isinstance(values, dict)
    assert all("\n" not in finding for finding in findings if "\n" not in text)
