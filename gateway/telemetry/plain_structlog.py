"""structlog without rich, which it would load for tracebacks in colour where typer has brought it along.

Nobody sees any here, and every start would pay 37 ms and 3 MB for them.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import cast

_rich = sys.modules.get("rich")
sys.modules["rich"] = cast("ModuleType", None)  # meanwhile its import fails, as where it is not installed
try:
    import structlog
finally:
    if _rich is None:
        del sys.modules["rich"]
    else:
        sys.modules["rich"] = _rich

__all__ = ["structlog"]
