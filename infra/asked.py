"""Runs the emulator and notes every right that a function asks for: `asked.py FILE`.

The emulator's own Python runs it, so it may import nothing of ours. A line is a role, an action, a
resource and the decision, parted by tabs.
"""

import sys
from pathlib import Path
from typing import Any

from ministack.app import main  # type: ignore[import-not-found]  # It lives in another virtualenv.
from ministack.core import iam_evaluator  # type: ignore[import-not-found]  # The same.


def note(path: Path) -> None:
    """Have each decision about a role written down."""
    decide, file = iam_evaluator.evaluate, path.open("a", buffering=1, encoding="utf-8")

    def noted(asked: Any, *policies: Any) -> Any:
        result = decide(asked, *policies)
        _, _, role = asked.principal_arn.partition(":assumed-role/")
        if role:
            named = (role.split("/")[0], asked.action, asked.resource_arn, result.decision)
            file.write("\t".join(named) + "\n")
        return result

    iam_evaluator.evaluate = noted


if __name__ == "__main__":
    note(Path(sys.argv.pop(1)))
    main()
