"""The page of a dossier's states: `docs/dossier-states.md`, its tables as the decider has them.

`python -m infra.dossier_states` writes the tables anew and leaves the words above them alone.
"""

from pathlib import Path

from chalicelib.contexts.dossiers.domain.transitions import markdown

PAGE = Path(__file__).resolve().parent.parent / "docs" / "dossier-states.md"
MARK = "<!-- Below this line: python -m infra.dossier_states -->\n"


def write(page: Path = PAGE) -> None:
    """Bring the tables of the page up to what the code says."""
    words, _, _ = page.read_text(encoding="utf-8").partition(MARK)
    page.write_text(f"{words}{MARK}\n{markdown()}", encoding="utf-8")


if __name__ == "__main__":
    write()
