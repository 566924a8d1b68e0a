"""The gateway with all its sentences reworded, for what must not depend on them: ``python -m tests.fakes.reworded MODULE`` runs one.

Before a module of the gateway is compiled each piece of text in it that reads like words gets others in their place, and
so do the messages of the catalogue.
"""

from __future__ import annotations

import ast
import importlib
import re
import runpy
import sys
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
)
from types import CodeType

_WORDS = re.compile(r"[a-z]{2,} [a-z]{2,}|^ ?[a-z]{2,} [a-z]{0,}$|^ [a-z]{2,}$", re.IGNORECASE)
_NO_SENTENCES = {"receipt of "}
"""Makes the id of a sign-out out of its nonce; nobody reads it."""


class _Reworded(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        text = node.value
        if isinstance(text, str) and _WORDS.search(text) and text not in _NO_SENTENCES:
            return ast.copy_location(ast.Constant(f"in other words {len(text)} "), node)
        return node


class _Loader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        tree = ast.parse(self.get_data(path))
        if "/gateway/" in path:
            tree = ast.fix_missing_locations(_Reworded().visit(tree))
        return compile(tree, path, "exec", dont_inherit=True)


if __name__ == "__main__":
    kinds = (ExtensionFileLoader, EXTENSION_SUFFIXES), (_Loader, SOURCE_SUFFIXES)
    sys.path_hooks.insert(0, FileFinder.path_hook(*kinds))
    sys.path_importer_cache.clear()
    catalogue = importlib.import_module("gateway.web.pages.catalogue")
    catalogue.MESSAGES.update(
        (name, f"in other words {len(text)}") for name, text in catalogue.MESSAGES.items()
    )
    runpy.run_module(sys.argv[1], run_name="__main__")
