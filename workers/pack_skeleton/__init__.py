"""The files that a new pack begins with: sound, small, and to be written over."""

from __future__ import annotations

import json
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from streams.packs import MATCHER_FILE, Manifest, PackError, installed_packs, load_pack

_FILES = ("pack.yaml", "matching.yaml", "facts.yaml", "rules.yaml", "outcomes.yaml", "cases.yaml")
_MAPPING = "mapping/side.yaml"


def write_skeleton(folder: Path, name: str, title: str, sides: tuple[str, str]) -> list[Path]:
    """Writes the files of a new pack into `folder`/`name`, made where need be; returns their paths.

    Raises PackError where a pack of that name is there or a name is none, before anything is written.
    """
    Manifest.checked({"name": name, "title": title, "sides": sides, "sources": {}, "mapping": []})
    if sides[0] == sides[1]:
        raise PackError(f"both sides are named {sides[0]}: records of two systems are matched")
    target = folder / name
    if target.exists() or name in installed_packs():
        raise PackError(f"a pack {name} is there already: choose another name")
    words = {
        "name": name,
        "title": json.dumps(title, ensure_ascii=False),  # as YAML quotes it
        "left": sides[0],
        "right": sides[1],
        "model": _owner_of_weights(),
    }
    skeleton = files(__name__)
    texts = {one: _filled(skeleton / one, words) for one in _FILES}
    for side in sides:
        texts[f"mapping/{side}.yaml"] = _filled(skeleton / _MAPPING, words | {"side": side})
    (target / "mapping").mkdir(parents=True)
    for path, text in texts.items():
        (target / path).write_text(text, encoding="utf-8")
    return [target / path for path in texts]


def _filled(template: Traversable, words: dict[str, str]) -> str:
    return Template(template.read_text(encoding="utf-8")).substitute(words)


def _owner_of_weights() -> str:
    """A pack that holds matcher weights of its own."""
    for name in installed_packs():
        pack = load_pack(name)
        if pack.has_file(MATCHER_FILE) and MATCHER_FILE not in pack.manifest.shares:
            return name
    raise PackError(f"no installed pack holds {MATCHER_FILE}")
