"""What has to be done about the vectors of one record after a change (EMB-6, CORE-12, CORE-13)."""

from __future__ import annotations

from dataclasses import dataclass

from streams.embed.hashes import instructed, text_hash
from streams.embed.texts import KINDS, Kind, LaidOutText, RecordTexts


@dataclass(frozen=True, slots=True)
class EncoderTraits:
    """What of an encoder decides whether a text's vector is still right."""

    model_id: str
    identity_instruction: str = ""
    context_instruction: str = ""

    def instruction(self, kind: Kind) -> str:
        return self.identity_instruction if kind == "identity" else self.context_instruction


@dataclass(frozen=True, slots=True)
class StoredHashes:
    """Hashes of the texts whose vectors the index holds for a record; None where it holds none."""

    identity: str | None = None
    context: str | None = None

    def of(self, kind: Kind) -> str | None:
        return self.identity if kind == "identity" else self.context


@dataclass(frozen=True, slots=True)
class TextToEncode:
    """One text that needs a new vector; `text` begins with the encoder's instruction."""

    kind: Kind
    text: str
    text_hash: str


@dataclass(frozen=True, slots=True)
class KeptText:
    """One text whose vector the index already holds."""

    kind: Kind
    text_hash: str


@dataclass(frozen=True, slots=True)
class EmbeddingPlan:
    """Which texts of a record to encode, which vectors to keep and which to take out.

    Every record has a plan and every plan ends in `embed.done`: also where there is nothing to
    embed, so that the matcher hears of the record at all (design.md 3.6).
    """

    encode: tuple[TextToEncode, ...]
    keep: tuple[KeptText, ...]
    remove: tuple[Kind, ...]

    @property
    def nothing_to_embed(self) -> bool:
        """The record has no text: it is announced without vectors."""
        return not self.encode and not self.keep

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds that have a vector once the plan is carried out."""
        present = {text.kind for text in self.encode} | {text.kind for text in self.keep}
        return tuple(kind for kind in KINDS if kind in present)


def plan_embedding(
    stored: StoredHashes | None, texts: RecordTexts, encoder: EncoderTraits
) -> EmbeddingPlan:
    """The plan that takes the index from `stored` to `texts`; None means it holds nothing."""
    before = stored or StoredHashes()
    encode: list[TextToEncode] = []
    keep: list[KeptText] = []
    remove: list[Kind] = []
    for kind in KINDS:
        text = texts.of(kind)
        if text is None:
            if before.of(kind) is not None:
                remove.append(kind)
            continue
        wanted = _to_encode(kind, text, encoder)
        if wanted.text_hash == before.of(kind):
            keep.append(KeptText(kind, wanted.text_hash))
        else:
            encode.append(wanted)
    return EmbeddingPlan(tuple(encode), tuple(keep), tuple(remove))


def _to_encode(kind: Kind, text: LaidOutText, encoder: EncoderTraits) -> TextToEncode:
    instruction = encoder.instruction(kind)
    return TextToEncode(
        kind,
        instructed(text.text, instruction),
        text_hash(text.text, instruction, encoder.model_id),
    )
