"""``worker.py``, whose releases continue in new runs after ``CONTINUE_AFTER`` events."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    from workflows import continuation

    continuation.MAX_EVENTS = int(os.environ["CONTINUE_AFTER"])
    sys.argv = ["worker.py"]
    runpy.run_path(str(ROOT / "worker.py"), run_name="__main__")
