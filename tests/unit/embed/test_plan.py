"""Hashes and plans: unchanged text is not embedded again (EMB-6), every record is announced."""

from __future__ import annotations

import pytest

from streams.embed.hashes import instructed, text_hash
from streams.embed.plan import (
    EmbeddingPlan,
    EncoderTraits,
    KeptText,
    StoredHashes,
    TextToEncode,
    plan_embedding,
)
from streams.embed.texts import RecordTexts, record_texts

PLAIN = EncoderTraits("plain@1")
TOLD = EncoderTraits("told@1", "Represent this name:", "Represent this context:")
FIELDS = {"company_name": "Acme", "title": "A deal"}
TEXTS = record_texts(FIELDS)
NOTHING = RecordTexts(None, None)


def hashes_after(plan: EmbeddingPlan) -> StoredHashes:
    known = {text.kind: text.text_hash for text in (*plan.encode, *plan.keep)}
    return StoredHashes(known.get("identity"), known.get("context"))


def test_hash_is_64_hex_digits_and_tells_text_instruction_and_model_apart() -> None:
    hashes = {
        text_hash(*parts)
        for parts in [("a", "b", "c"), ("ab", "", "c"), ("a", "bc", ""), ("", "ab", "c"),
                      ("a", "b", "d")]
    }  # fmt: skip
    assert len(hashes) == 5
    assert all(len(value) == 64 and int(value, 16) >= 0 for value in hashes)


def test_instruction_stands_before_the_text_only_where_there_is_one() -> None:
    assert instructed("text", "Do this:") == "Do this: text"
    assert instructed("text", "") == "text"


def test_record_never_seen_is_encoded_with_the_encoders_instructions() -> None:
    plan = plan_embedding(None, TEXTS, TOLD)
    assert [(text.kind, text.text) for text in plan.encode] == [
        ("identity", "Represent this name: name: Acme"),
        ("context", "Represent this context: title: A deal"),
    ]
    assert (plan.keep, plan.remove, plan.kinds) == ((), (), ("identity", "context"))


def test_unchanged_texts_are_kept() -> None:
    stored = hashes_after(plan_embedding(None, TEXTS, PLAIN))
    plan = plan_embedding(stored, TEXTS, PLAIN)
    assert plan.encode == ()
    assert [text.kind for text in plan.keep] == ["identity", "context"]
    assert not plan.nothing_to_embed


def test_one_changed_text_is_encoded_alone() -> None:
    stored = hashes_after(plan_embedding(None, TEXTS, PLAIN))
    plan = plan_embedding(stored, record_texts({**FIELDS, "title": "Another deal"}), PLAIN)
    assert plan.encode == (
        TextToEncode("context", "title: Another deal", plan.encode[0].text_hash),
    )
    assert plan.keep == (KeptText("identity", stored.identity or ""),)


@pytest.mark.parametrize("other", [TOLD, EncoderTraits("plain@2")])
def test_another_model_or_instruction_encodes_everything_again(other: EncoderTraits) -> None:
    stored = hashes_after(plan_embedding(None, TEXTS, PLAIN))
    assert [text.kind for text in plan_embedding(stored, TEXTS, other).encode] == [
        "identity",
        "context",
    ]


def test_text_that_a_record_lost_is_removed() -> None:
    stored = hashes_after(plan_embedding(None, TEXTS, PLAIN))
    plan = plan_embedding(stored, record_texts({"company_name": "Acme"}), PLAIN)
    assert (plan.encode, plan.remove, plan.kinds) == ((), ("context",), ("identity",))


@pytest.mark.parametrize("stored", [None, StoredHashes("a", "b")])
def test_record_without_text_has_nothing_to_embed_and_loses_what_it_had(
    stored: StoredHashes | None,
) -> None:
    plan = plan_embedding(stored, NOTHING, PLAIN)
    assert plan.nothing_to_embed
    assert plan.kinds == ()
    assert plan.remove == (("identity", "context") if stored else ())


def test_carrying_a_plan_out_leaves_nothing_to_do() -> None:
    for texts in (TEXTS, record_texts({"company_name": "Acme"}), NOTHING):
        stored = hashes_after(plan_embedding(StoredHashes("x", "y"), texts, PLAIN))
        again = plan_embedding(stored, texts, PLAIN)
        assert (again.encode, again.remove) == ((), ())
