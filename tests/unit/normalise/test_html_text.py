"""Readable text of HTML fields, in time that grows with their length alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.normalise.html_text import plain_text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("plain", "plain"),
        ("5 < 6 and 7 > 3", "5 < 6 and 7 > 3"),
        ("<p>One</p>\n<p>Two</p>", "One\nTwo"),
        ("a<br>b<br/>c<BR />d", "a\nb\nc\nd"),
        ("<b>bo</b>ld &amp; &lt;kept&gt; &nbsp; x", "bold & <kept> x"),
        ("<style>p {color: red}</style>seen<script>alert('<p>')</script>", "seen"),
        ("before <!-- <p>hidden</p> --> after", "before after"),
        ("shown <script>never closed <p>x", "shown"),
        ("<ul><li>a</li><li>b</li></ul>", "a\nb"),
        ("", ""),
    ],
)
def test_text_is_what_a_reader_would_see(markup: str, text: str) -> None:
    assert plain_text(markup) == text


@given(st.text(alphabet="<>!-/pscript&; \nab", max_size=200))
def test_any_text_comes_through_without_outer_blanks(markup: str) -> None:
    found = plain_text(markup)
    assert found == found.strip()


@pytest.mark.parametrize("unit", ["<script>", "<!--", "<a ", "<", "&lt", "<p", "</", "< br"])
def test_megabytes_of_hostile_markup_come_back(unit: str) -> None:
    """Where the time grew with the square of the length, this would take hours."""
    assert len(plain_text(unit * (2_000_000 // len(unit)))) <= 2_000_000
