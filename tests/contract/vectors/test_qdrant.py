"""What only the Qdrant index does: filters in every part of a query, guards, refusals (EMB-8)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from connectors.vectors import qdrant_points as shapes
from connectors.vectors.port import (
    RANK_CONSTANT,
    DenseQuery,
    FusedQuery,
    IndexMisconfigured,
    SparseQuery,
)
from connectors.vectors.qdrant import QdrantIndex
from schemas.results import Retryable
from tests.contract.vectors.records import DIMENSION, HERE, unit

FUSED = FusedQuery(
    (
        DenseQuery("identity", unit(1)),
        DenseQuery("context", unit(2)),
        SparseQuery("identity", {1: 1.0}),
        SparseQuery("context", {}),
    ),
    depth=7,
)


def required(conditions: Any) -> dict[str, Any]:
    return {condition.key: condition.match.value for condition in conditions.must}


@pytest.mark.parametrize("is_open", [None, True, False])
def test_every_prefetch_names_tenant_pack_and_side(is_open: bool | None) -> None:
    within = shapes.scope_filter(replace(HERE, is_open=is_open))
    arguments = shapes.query_arguments(FUSED, within, 50, RANK_CONSTANT)
    expected = {"tenant": "home", "pack": "pod", "side": "ace", "deleted": False}
    expected |= {} if is_open is None else {"is_open": is_open}
    assert len(arguments["prefetch"]) == 3  # a branch without tokens asks for nothing
    for prefetch in arguments["prefetch"]:
        assert required(prefetch.filter) == expected
        assert prefetch.limit == 50
    assert required(arguments["query_filter"]) == expected


def test_plain_search_names_tenant_pack_and_side() -> None:
    arguments = shapes.query_arguments(FUSED.branches[0], shapes.scope_filter(HERE), 5, 60)
    assert required(arguments["query_filter"])["tenant"] == "home"


@contextmanager
def server_that_answers(status: int, body: bytes) -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Requests are not printed."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


VERSION = b'{"title":"qdrant","version":"%s"}'


@pytest.mark.parametrize(
    ("status", "body", "raised", "says"),
    [
        (200, VERSION % b"1.15.5", IndexMisconfigured, "1.16 or newer"),
        (403, b"forbidden", IndexMisconfigured, "REVOPS_INDEX__API_KEY"),
        (401, b"unauthorised", IndexMisconfigured, "REVOPS_INDEX__API_KEY"),
        (500, b"{}", Retryable, "500"),
        (503, b"starting", Retryable, "503"),
        (429, b"{}", Retryable, "429"),
    ],
)
async def test_server_that_refuses_is_told_from_one_that_is_away(
    status: int, body: bytes, raised: type[Exception], says: str
) -> None:
    with server_that_answers(status, body) as url:
        index = QdrantIndex(url)
        with pytest.raises(raised, match=says):
            await index.ensure("test/model", DIMENSION)
        await index.close()
