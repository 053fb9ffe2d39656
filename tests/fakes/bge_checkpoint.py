"""A tiny checkpoint in BGE-M3's shape with random weights, which FlagEmbedding loads unmodified."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import XLMRobertaConfig, XLMRobertaModel

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
SENTENCES = [
    "name: Northwind Traders Ltd | domain: northwind.example | aliases: NWT",
    "title: Move two data centres | description: forty servers and their storage",
    "Größe & Söhne GmbH, Müller und Partner, Société Générale de Transport",
    "株式会社 日本 東京 有限公司 上海",
    "the quick brown fox jumps over the lazy dog and quite another end of word long rather",
]


def write_checkpoint(
    folder: Path,
    *,
    hidden: int = 64,
    layers: int = 2,
    heads: int = 4,
    positions: int = 514,
    vocabulary: int = 0,
) -> Path:
    """Write config, weights, tokenizer and both heads; the same bytes for the same arguments.

    `vocabulary` makes the table of word vectors larger than the tokenizer's own vocabulary.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(20)
    tokenizer = _tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "bos_token": "<s>",
                "cls_token": "<s>",
                "eos_token": "</s>",
                "sep_token": "</s>",
                "pad_token": "<pad>",
                "unk_token": "<unk>",
                "model_max_length": positions - 2,
            }
        )
    )
    shape = XLMRobertaConfig(
        vocab_size=max(tokenizer.get_vocab_size(), vocabulary),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
        max_position_embeddings=positions,
        type_vocab_size=1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )
    XLMRobertaModel(shape, add_pooling_layer=True).save_pretrained(folder)
    for name, width in (("sparse_linear", 1), ("colbert_linear", hidden)):
        torch.save(torch.nn.Linear(hidden, width).state_dict(), folder / f"{name}.pt")
    return folder


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=400, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES * 20, trainer)
    ids = [(token, tokenizer.token_to_id(token)) for token in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=ids
    )
    return tokenizer
