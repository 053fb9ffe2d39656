"""Tests that need torch and FlagEmbedding are collected where both are installed."""

from __future__ import annotations

from importlib.util import find_spec

HAS_BGE = all(find_spec(name) is not None for name in ("torch", "FlagEmbedding"))
collect_ignore = [] if HAS_BGE else ["test_bge_m3.py"]
