"""The first pass: YAML text to a tree of plain values, each with its line and column.

Only the shape is read here. A scalar stays the text it is (or None when blank): whether ``yes``, ``0123`` or
``12:30`` is a word, a number or a time is for the key's own type to say, so none of YAML 1.1's surprises reach
it. Nothing is constructed, so no tag can run code; anchors, aliases and merge keys are refused, so that a value
stands where it is written and a finding can point at it.
"""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from gateway.config.findings import Finding, KeyPath, Place, Places, dotted
from gateway.config.yaml_faults import in_words

Value = str | None | list["Value"] | dict[str, "Value"]
_CORE_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("null", "bool", "int", "float", "str", "timestamp", "value", "merge", "map", "seq")
)
_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"


def read_tree(text: str, file: str) -> tuple[dict[str, Value], Places, list[Finding]]:
    """The values of a configuration file, where each was written, and what is wrong with its shape.

    :param text: the file's content.
    :param file: its name, for the findings.
    """
    tree = _Tree(file)
    values: Value = {}
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            values = tree.value(node, ())
    except yaml.MarkedYAMLError as error:
        tree.add((), *in_words(error, text))
    except yaml.reader.ReaderError as error:
        tree.unreadable(text, error)
    except RecursionError:
        tree.add((), None, "is nested too deeply", "write it as the reference listing does")
    if not isinstance(values, dict):
        if values is not None:
            tree.add(
                (),
                None,
                "is not a list of keys and values",
                "begin with a line such as `public_url: https://…`",
            )
        values = {}
    return values, tree.places, tree.findings


class _Tree:
    def __init__(self, file: str) -> None:
        self.file = file
        self.places = Places(file)
        self.findings: list[Finding] = []
        self._seen: set[int] = set()

    def add(self, path: KeyPath, mark: yaml.Mark | None, what: str, fix: str) -> None:
        place = Place(self.file, mark.line + 1, mark.column + 1) if mark else Place(self.file)
        self.findings.append(Finding(place, dotted(path), what, fix))

    def unreadable(self, text: str, error: yaml.reader.ReaderError) -> None:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - (text.rfind("\n", 0, error.position) + 1) + 1
        place = Place(self.file, line, column)
        self.findings.append(
            Finding(place, "", "holds a character that YAML forbids", "remove the control character")
        )

    def value(self, node: yaml.Node, path: KeyPath) -> Value:
        if id(node) in self._seen:
            self.add(path, node.start_mark, "is an alias (`*name`)", "write the value out")
            return None
        self._seen.add(id(node))
        if node.tag not in _CORE_TAGS:
            self.add(path, node.start_mark, "has a tag (`!name`), which means nothing here", "remove the tag")
            return None
        if isinstance(node, yaml.MappingNode):
            return dict(self._entries(node, path))
        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*path, index)) for index, item in enumerate(node.value)]
        blank = isinstance(node, yaml.ScalarNode) and node.tag == _NULL and node.style is None
        return None if blank else str(node.value)

    def _item(self, node: yaml.Node, path: KeyPath) -> Value:
        self.places.in_file(path, node.start_mark.line + 1, node.start_mark.column + 1)
        return self.value(node, path)

    def _entries(self, node: yaml.MappingNode, path: KeyPath) -> Iterator[tuple[str, Value]]:
        first_lines: dict[str, int] = {}
        for key, value in node.value:
            mark = key.start_mark
            if not isinstance(key, yaml.ScalarNode) or not key.value:
                self.add(path, mark, "has a key that is not a word", "write `key: value`")
            elif key.tag == _MERGE and key.style is None:
                self.add(path, mark, "has a merge key (`<<`)", "write the keys out")
            elif key.value in first_lines:
                first = f"`{key.value}` is already set on line {first_lines[key.value]}"
                self.add((*path, key.value), mark, first, "keep one of the two")
            else:
                first_lines[key.value] = mark.line + 1
                self.places.in_file((*path, key.value), mark.line + 1, mark.column + 1)
                yield key.value, self.value(value, (*path, key.value))
