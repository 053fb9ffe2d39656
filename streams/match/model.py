"""The matcher's weights: a versioned file of coefficients, one logistic model per profile.

The file holds numbers only: feature names, coefficients, bands, and the figures of its training.
It names the encoder family that each set of vector weights was calibrated for; evidence of another
encoder is not used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from streams.match.arrays import Floats

FORMAT = 1
_LIMIT = 12.0


class ModelError(ValueError):
    """A model file that cannot be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Logistic:
    """A linear function to log-odds: intercept plus one weight per named feature."""

    intercept: float
    weights: Mapping[str, float]

    def vector(self, columns: Sequence[str]) -> Floats:
        """The weights in the order of `columns`; a feature the model does not know weighs 0."""
        return np.array([self.weights.get(column, 0.0) for column in columns], dtype=np.float64)

    def log_odds(self, matrix: Floats, columns: Sequence[str]) -> Floats:
        """Log-odds of every row, within [-12, 12], rounded so that batches of any size agree."""
        return clipped(self.intercept + matrix @ self.vector(columns))

    def to_json(self) -> dict[str, Any]:
        """The function as JSON-ready data, weights rounded to 6 decimals."""
        weights = {name: round(weight, 6) for name, weight in sorted(self.weights.items())}
        return {"intercept": round(self.intercept, 6), "weights": weights}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Logistic:
        """The function that `to_json` wrote."""
        return cls(float(data["intercept"]), {k: float(v) for k, v in data["weights"].items()})


def clipped(log_odds: Floats) -> Floats:
    """Log-odds within [-12, 12], rounded to 8 decimals."""
    return log_odds.clip(-_LIMIT, _LIMIT).round(8)


def probability(log_odds: float | Floats) -> Any:
    """The probability of log-odds, rounded to 6 decimals."""
    return np.round(1.0 / (1.0 + np.exp(-np.asarray(log_odds, dtype=np.float64))), 6)


@dataclass(frozen=True, slots=True)
class ProfileWeights:
    """A profile's weights: of the pair's own evidence, and of its standing among rivals."""

    evidence: Logistic
    rivals: Logistic


@dataclass(frozen=True, slots=True)
class Bands:
    """Probabilities that separate what is done with a pair.

    From `match` up the two are held to be one, from `automatic` up surely enough to act without
    a person; below `plausible` a pair is not listed.
    """

    plausible: float = 0.05
    match: float = 0.5
    automatic: float = 0.9


@dataclass(frozen=True)
class MatcherModel:
    """A matcher's weights with version, bands and training figures."""

    version: str
    profiles: Mapping[str, ProfileWeights]
    bands: Bands = field(default_factory=Bands)
    training: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def profile(self, name: str, encoder: str | None = None) -> tuple[str, ProfileWeights]:
        """(key, weights) of a profile, those calibrated with the encoder's vectors where it has.

        Raises `ModelError` for a profile that the file does not hold.
        """
        family = encoder_family(encoder)
        for key in (f"{name}+{family}", name):
            if key in self.profiles:
                return key, self.profiles[key]
        raise ModelError(
            f"model {self.version} has no profile {name!r}: train one with `revops match train "
            f"--profile {name}`"
        )

    def uses(self, name: str, encoder: str | None) -> bool:
        """Whether the profile has weights for this encoder's vectors."""
        return f"{name}+{encoder_family(encoder)}" in self.profiles

    @cached_property
    def weights_hash(self) -> str:
        """The first 16 hex digits of the SHA-256 over all weights and bands."""
        content = self._content()
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _content(self) -> dict[str, Any]:
        return {
            "profiles": {
                name: {"evidence": p.evidence.to_json(), "rivals": p.rivals.to_json()}
                for name, p in sorted(self.profiles.items())
            },
            "bands": {
                "plausible": self.bands.plausible,
                "match": self.bands.match,
                "automatic": self.bands.automatic,
            },
        }

    def to_json(self) -> dict[str, Any]:
        """The model as JSON-ready data."""
        return {
            "format": FORMAT,
            "version": self.version,
            "weights_hash": self.weights_hash,
            **self._content(),
            "training": dict(self.training),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> MatcherModel:
        """The model that `to_json` wrote; raises `ModelError` for another format or changed weights."""
        if data.get("format") != FORMAT:
            raise ModelError(
                f"matcher model format {data.get('format')!r} is not {FORMAT}: train the model "
                "again with `revops match train`"
            )
        model = cls(
            version=str(data["version"]),
            profiles={
                name: ProfileWeights(
                    Logistic.from_json(profile["evidence"]), Logistic.from_json(profile["rivals"])
                )
                for name, profile in data["profiles"].items()
            },
            bands=Bands(**data["bands"]),
            training=data.get("training", {}),
        )
        stated = data.get("weights_hash")
        if stated is not None and stated != model.weights_hash:
            raise ModelError(
                f"matcher model {model.version}: weights hash {model.weights_hash} is not the "
                f"stated {stated}; the file was edited, take the one that training wrote"
            )
        return model

    @classmethod
    def parse(cls, text: str | bytes) -> MatcherModel:
        """The model of a file's text; raises `ModelError` for text that is no model."""
        try:
            return cls.from_json(json.loads(text))
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"not a matcher model file ({error}): expected the JSON that "
                "`revops match train` writes"
            ) from error


def encoder_family(encoder: str | None) -> str:
    """The encoder's family as models name it: "minilm", "bge-m3", or the id in lower case."""
    if not encoder:
        return "none"
    name = encoder.casefold().replace("_", "-")
    return next((family for family in ("bge-m3", "minilm") if family in name), name)
