"""Equality keys of a record: two records are worth comparing when they share one (MATCH-3).

Every key is a pure function of its record, so that the same pairs meet whether records arrive one
by one or all at once. Abbreviated, misspelt and transliterated names meet through prefix pairs,
consonant skeletons and initials; websites meet names through the domain's label.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from streams.match.prepared import PreparedRecord
from streams.match.records import MatchRecord
from streams.match.words import meaning_of, sound_classes
from streams.normalise.company_names import CompanyName, is_descriptor
from streams.normalise.countries import COUNTRY_WORDS
from streams.normalise.name_words import STOP_WORDS

#: Kinds of keys, the surest first: the order in which a bounded look-up spends its budget.
KINDS = (
    "identifier",
    "account",
    "contact",
    "person",
    "domain",
    "phone",
    "compact",
    "title",
    "sound",
    "initials",
    "pair",
    "start",
    "word",
    "place",
    "script",
)
_WORDS_PAIRED = 6
_WORDS_KEYED = 8
_SCRIPT_PLACES = {"CN": "han", "TW": "han", "HK": "han", "JP": "kana", "KR": "hangul"}


class MatchKey(NamedTuple):
    """One equality key: a kind of `KINDS` and the value that two records must share."""

    kind: str
    value: str


def match_keys(record: MatchRecord | PreparedRecord) -> tuple[MatchKey, ...]:
    """All keys of a record, without duplicates, the surest kinds first."""
    prepared = record if isinstance(record, PreparedRecord) else PreparedRecord.from_record(record)
    found = dict.fromkeys(
        [*_identity_keys(prepared), *_name_keys(prepared), *_domain_keys(prepared)]
    )
    return tuple(sorted(found, key=lambda key: (_KIND_RANK[key.kind], key.value)))


_KIND_RANK = {kind: rank for rank, kind in enumerate(KINDS)}


def _identity_keys(prepared: PreparedRecord) -> Iterator[MatchKey]:
    record = prepared.record
    for value in (*record.own_ids, *record.external_ids):
        if len(value) <= 64:
            yield MatchKey("identifier", value.casefold())
    for account in record.account_ids:
        yield MatchKey("account", account.lstrip("0")[:64])
    for email in record.contact_emails:
        yield MatchKey("contact", email[:128])
    for person in prepared.people:
        for surname in person:
            if len(surname) >= 3:
                initials = "".join(sorted(word[0] for word in person if word != surname))
                yield MatchKey("person", f"{surname[:32]} {initials}")
    for phone in record.phones:
        yield MatchKey("phone", phone)
    if prepared.title_compact:
        yield MatchKey("title", prepared.title_compact[:64])


def _domain_keys(prepared: PreparedRecord) -> Iterator[MatchKey]:
    for domain in prepared.domains:
        yield MatchKey("domain", domain)
    for label in prepared.labels:
        yield MatchKey("compact", label)
        if len(label) <= 6:
            yield MatchKey("initials", label)
        yield from _sound_keys((label,))
        if len(label) >= 4:
            yield MatchKey("start", label[:5])
    script = prepared.script or _SCRIPT_PLACES.get(
        prepared.country or prepared.domain_country or ""
    )
    if script:
        yield MatchKey("script", script)


def _name_keys(prepared: PreparedRecord) -> Iterator[MatchKey]:
    keys = [key for name in prepared.names for key in _keys_of_name(name)]
    yield from keys
    if prepared.names:
        compact = prepared.names[0].compact
        for place in (prepared.city, prepared.country):
            if place:
                yield MatchKey("place", f"{compact[:48]}@{place}")
        if prepared.city and all(key.kind != "sound" for key in keys):
            yield MatchKey("place", f"{sound_classes(compact[:32])[:8]}@{prepared.city}")


@lru_cache(maxsize=131_072)
def _keys_of_name(name: CompanyName) -> tuple[MatchKey, ...]:
    words = [word for word in name.words if word not in STOP_WORDS] or list(name.words)
    if not words:
        return ()
    telling = [word for word in words if not is_descriptor(word) and word not in COUNTRY_WORDS]
    return tuple(
        [
            *_whole_name_keys(name, words),
            *(MatchKey("word", word[:48]) for word in telling[:_WORDS_KEYED] if len(word) >= 3),
            *_pair_keys(words[:_WORDS_PAIRED]),
        ]
    )


def _whole_name_keys(name: CompanyName, words: list[str]) -> Iterable[MatchKey]:
    keys = [MatchKey("compact", name.compact[:64])]
    folded = name.compact.replace("ae", "a").replace("oe", "o").replace("ue", "u")
    if folded != name.compact and len(folded) >= 4:
        keys.append(MatchKey("compact", folded[:64]))
    if name.article:
        keys.append(MatchKey("compact", f"the{name.compact}"[:64]))
    core = list(words)
    while len(core) > 1 and is_descriptor(core[-1]):
        core.pop()
        keys.append(MatchKey("compact", "".join(core)[:64]))
    telling = [word for word in core if word not in COUNTRY_WORDS]
    keys.extend(_sound_keys(("".join(core), *(telling if name.foreign else telling[:1]))))
    if len(words[0]) >= 4:
        keys.append(MatchKey("start", words[0][:5]))
    if len(words) >= 2:
        keys.append(MatchKey("initials", "".join(word[0] for word in words[:6])))
    elif len(words[0]) <= 6:
        keys.append(MatchKey("initials", words[0]))
    if len(words) >= 3:
        keys.append(MatchKey("pair", " ".join(sorted(word[:4] for word in words[:3]))))
    return keys


def _sound_keys(words: Iterable[str]) -> Iterator[MatchKey]:
    """Words by sound, from three consonants on: names in other scripts meet here."""
    for word in words:
        sound = sound_classes(word[:32])[:8]
        if len(sound) >= 3:
            yield MatchKey("sound", sound)


def _pair_keys(words: list[str]) -> Iterable[MatchKey]:
    """Any two words by their beginnings, as they are written and by what they mean."""
    written = tuple(word[:3] for word in words)
    meant = tuple(meaning_of(word).lower()[:3] for word in words)
    return (
        MatchKey("pair", " ".join(sorted(pair)))
        for starts in dict.fromkeys((written, meant))
        for pair in combinations(starts, 2)
    )
