"""Matcher model files: the shipped one, others by path, and the gate that keeps worse ones out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from streams.match.model import MatcherModel, ModelError

SHIPPED_PACK = "pod"
#: A new model may fall short of the active one by this much F1 on a set without being worse.
TOLERANCE = 0.002


def load_model(path: Path | None, pack: str = SHIPPED_PACK) -> MatcherModel:
    """The model of a file, or the one that ships with the pack. Raises `ModelError`."""
    if path is None:
        return MatcherModel.parse(
            (files("streams") / "packs" / pack / "matcher.json").read_text(encoding="utf-8")
        )
    try:
        return MatcherModel.parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error


def save_model(model: MatcherModel, path: Path) -> None:
    """Write a model file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(model.to_json(), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def worse_on(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Where a new model's held-out figures fall behind the active one's, in words; empty: nowhere.

    Both map a set's name to its figures; sets that only one of them knows are not compared.
    """
    reasons: list[str] = []
    for name in sorted(set(before) & set(after)):
        for figure in ("f1", "average_precision"):
            old, new = float(before[name][figure]), float(after[name][figure])
            if new < old - TOLERANCE:
                reasons.append(f"{name}: {figure} {new:.4f} is under the active model's {old:.4f}")
    return reasons
