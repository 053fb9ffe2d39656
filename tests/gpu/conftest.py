"""Tests of this folder are collected where torch sees a GPU; the benchmark runs anywhere."""

from __future__ import annotations

from importlib.util import find_spec


def _has_gpu() -> bool:
    if find_spec("torch") is None or find_spec("FlagEmbedding") is None:
        return False
    import torch

    return torch.cuda.is_available()


collect_ignore_glob = [] if _has_gpu() else ["test_*.py"]
