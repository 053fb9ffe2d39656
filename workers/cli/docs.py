"""`revops docs`: the reference pages, the example environment and the frozen schemas of events."""

from __future__ import annotations

import difflib
import json
from pathlib import Path

import typer

from schemas.compatibility import breaking_changes
from workers.cli.output import console, fail
from workers.reference import CHECKOUT, FROZEN, event_classes, frozen_schema, pages

app = typer.Typer(no_args_is_help=True, help="Files that are made from the code.")


@app.command()
def write() -> None:
    """Writes them anew; refuses a change of an event that would break its subscribers."""
    _refuse_breaking_changes(CHECKOUT)
    for path, text in _outdated(CHECKOUT).items():
        (CHECKOUT / path).parent.mkdir(parents=True, exist_ok=True)
        (CHECKOUT / path).write_text(text, "utf-8")
        console.print(f"wrote {path}")
    for path in _left_over(CHECKOUT):
        console.print(f"{path} belongs to no event any more", style="yellow")


@app.command()
def check() -> None:
    """Fails, with the differences, when one of them is not what the code says."""
    _refuse_breaking_changes(CHECKOUT)
    outdated = _outdated(CHECKOUT)
    for path, text in outdated.items():
        there = CHECKOUT / path
        before = there.read_text("utf-8") if there.is_file() else ""
        difference = difflib.unified_diff(
            before.splitlines(),
            text.splitlines(),
            str(path),
            "made from the code",
            lineterm="",
            n=1,
        )
        console.print("\n".join(difference), markup=False, highlight=False, soft_wrap=True)
    left_over = _left_over(CHECKOUT)
    if outdated or left_over:
        names = ", ".join(str(path) for path in (*outdated, *left_over))
        fail(f"not current: {names}. Run `revops docs write` and commit what it wrote.")
    console.print(f"{len(pages())} files are current.")


def breaks(root: Path) -> list[str]:
    """Every change of an event that its frozen schema under `root` does not allow (STR-16)."""
    found: list[str] = []
    for event in event_classes():
        path = root / FROZEN / f"{event.__name__}.json"
        if path.is_file():
            frozen = json.loads(path.read_text("utf-8"))
            changes = breaking_changes(frozen, json.loads(frozen_schema(event)))
            found += [f"{event.__name__}: {change}" for change in changes]
    return found + [f"{path.stem} is gone" for path in _left_over(root)]


def _refuse_breaking_changes(root: Path) -> None:
    found = breaks(root)
    if found:
        fail(
            "subscribers would break:\n  "
            + "\n  ".join(found)
            + "\nMake a new class on a new topic version. Before the first release of an event you may "
            f"also delete its file in {FROZEN} and run `revops docs write`."
        )


def _outdated(root: Path) -> dict[Path, str]:
    made = pages()
    return {
        path: text
        for path, text in made.items()
        if not (root / path).is_file() or (root / path).read_text("utf-8") != text
    }


def _left_over(root: Path) -> list[Path]:
    known = {f"{event.__name__}.json" for event in event_classes()}
    return sorted(
        path.relative_to(root) for path in (root / FROZEN).glob("*.json") if path.name not in known
    )
