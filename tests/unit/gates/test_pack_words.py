"""Platform code knows no pack: words of a pack's field stand only in its folder (design.md section 2)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from streams.packs import installed_packs, load_pack
from tests.unit.gates.tracked import TrackedFile, tracked_files

PLATFORM = ("schemas", "streams", "connectors", "workers", "deploy/local")
PACKS = ("streams/packs",)
VENDORS = {
    "amazon",
    "aws",
    "microsoft",
    "partner_central",
    "partner_originated",
    "salesforce",
    "spend_threshold",
}
"""Words of the packs' fields beyond the names that their manifests give."""

ALLOWED = {
    ("connectors/encoders/bert_graph.py", "microsoft"): "the ONNX operators' own domain",
    ("connectors/postgres/spend_findings.py", "spend_threshold"): "the topic `spend.threshold`",
    ("schemas/events.py", "spend_threshold"): "events of the topic `spend.threshold`",
    ("schemas/topics.py", "spend_threshold"): "the topic `spend.threshold`",
    ("workers/cli/connectors.py", "odoo"): "an example in a help text",
    ("workers/cli/audit.py", "pod"): "an example in a help text",
    ("workers/file_matching/model_files.py", "pod"): "whose folder holds the weights that ship",
}
"""(file, word): why it may stand there."""

_BETWEEN = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+|_+")
_SQL_COMMENT = re.compile(r"--.*$", re.MULTILINE)


def pack_words() -> set[str]:
    """The names of every pack, of its sides and of its sources, and the words of its field."""
    words = set(VENDORS)
    for name in installed_packs():
        pack = load_pack(name)
        words |= {name, *pack.sides, *pack.manifest.sources}
    return words


def spoken(text: str) -> str:
    """An identifier or literal as lower-case words between underscores."""
    return f"_{_BETWEEN.sub('_', text).lower()}_"


def code_texts(file: TrackedFile) -> Iterator[str]:
    """Identifiers and literals of a file; neither comments nor docstrings."""
    text = "\n".join(file.lines or ())
    if file.path.endswith(".sql"):
        yield _SQL_COMMENT.sub("", text)
        return
    tree = ast.parse(text)
    prose = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value
        for name in ("id", "attr", "arg", "name", "module", "asname"):
            value = getattr(node, name, None)
            if isinstance(value, str):
                yield value


def pack_words_in(file: TrackedFile, words: set[str]) -> set[str]:
    texts = "\n".join(spoken(text) for text in code_texts(file))
    return {word for word in words if f"_{word}_" in texts}


def test_platform_code_holds_no_word_of_a_pack() -> None:
    words = pack_words()
    found = {
        (file.path, word)
        for file in tracked_files()
        if file.is_within(*PLATFORM)
        and not file.is_within(*PACKS)
        and file.path.endswith((".py", ".sql"))
        for word in pack_words_in(file, words)
    }
    assert found - ALLOWED.keys() == set()
    assert ALLOWED.keys() - found == set(), "allowed and not there any more"


def test_words_are_found_in_every_kind_of_name() -> None:
    lines = (
        '"""Prose on odoo."""',
        "class OdooLead: ...",
        "aws_accounts = fields['apn_id']",
        "ACE_SIDE = f'{x} from pod.decision'",
        "draws = paced = trace",
    )
    file = TrackedFile("a.py", 0, lines)
    words = {"odoo", "aws", "apn", "ace", "pod", "csp"}
    assert pack_words_in(file, words) == words - {"csp"}
