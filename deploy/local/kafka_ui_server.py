"""A Kafka UI in the browser: topics and groups at one address, the messages of a topic at another.

Runs in the environment of `requirements/ui.txt`, not in the project's: `kafka_ui.py` starts it as
`kafka_ui_server.py BOOTSTRAP_SERVERS HOST PORT`. kaskade is the UI, textual-serve brings it into
the browser; this page leads to them.
"""

# pyright: reportMissingImports=false, reportUnknownMemberType=false
from __future__ import annotations

import html
import shlex
import sys
from contextvars import ContextVar
from pathlib import Path

import aiohttp_jinja2
import jinja2
from aiohttp import web
from confluent_kafka.admin import AdminClient
from textual_serve.server import Server

METADATA_SECONDS = 10
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Kafka at {servers}</title><style>
body {{ font: 16px/1.6 system-ui, sans-serif; margin: 2rem auto; max-width: 44rem; }}
li {{ list-style: none; }} ul {{ padding: 0; }} .internal {{ opacity: .5; }}
</style></head><body><h1>Kafka at {servers}</h1>
<p><a href="/topics">Topics, partitions, consumer groups</a> &mdash; or the messages of a topic:</p>
<ul>{topics}</ul></body></html>
"""


class KafkaPages(Server):
    """The pages of one cluster.

    textual-serve runs one command for all visitors; here the address of the page chooses it.
    """

    def __init__(self, bootstrap_servers: str, host: str, port: int) -> None:
        self._chosen: ContextVar[str] = ContextVar("chosen")
        super().__init__("", host=host, port=port, title="Kafka")
        self._servers = bootstrap_servers
        self._kaskade = Path(sys.executable).with_name("kaskade")

    @property
    def command(self) -> str:
        return self._chosen.get("kaskade")

    @command.setter
    def command(self, _command: str) -> None:
        """Set by textual-serve for all visitors, which is not wanted here."""

    async def _make_app(self) -> web.Application:
        app = web.Application()
        aiohttp_jinja2.setup(app, loader=jinja2.FileSystemLoader(self.templates_path))
        app.add_routes(
            [
                web.get("/", self._overview),
                web.get("/topics", self._terminal),
                web.get("/messages/{topic}", self._terminal),
                web.get("/terminal/topics", self._run_kaskade),
                web.get("/terminal/messages/{topic}", self._run_kaskade),
                web.get("/download/{key}", self.handle_download, name="download"),
                web.static("/static", self.statics_path, name="static"),
            ]
        )
        return app

    async def _overview(self, request: web.Request) -> web.Response:
        links = [
            f'<li class="{"internal" if name.startswith("_") else ""}">'
            f'<a href="/messages/{html.escape(name)}">{html.escape(name)}</a></li>'
            for name in sorted(self._topics(), key=lambda name: (name.startswith("_"), name))
        ]
        page = PAGE.format(servers=html.escape(self._servers), topics="".join(links))
        return web.Response(text=page, content_type="text/html")

    async def _terminal(self, request: web.Request) -> web.Response:
        socket = f"ws://{request.host}/terminal{request.path}"
        return aiohttp_jinja2.render_template(
            "app_index.html",
            request,
            {
                "font_size": 16,
                "app_websocket_url": socket,
                "config": {"static": {"url": "/static/"}},
                "application": {"name": self.title},
            },
        )

    async def _run_kaskade(self, request: web.Request) -> web.StreamResponse:
        """A terminal of its own for this visitor, who must come from our own page."""
        if request.headers.get("Origin") != f"http://{request.host}":
            raise web.HTTPForbidden(text="open the page itself, at /")
        topic = request.match_info.get("topic")
        if topic is not None and topic not in self._topics():
            raise web.HTTPNotFound(text=f"there is no topic {topic}")
        arguments = [str(self._kaskade), *self._mode(topic), "-b", self._servers]
        self._chosen.set(shlex.join(arguments))
        return await self.handle_websocket(request)

    def _mode(self, topic: str | None) -> list[str]:
        if topic is None:
            return ["admin"]
        return ["consumer", "-t", topic, "--earliest", "-k", "string", "-v", "string"]

    def _topics(self) -> list[str]:
        client = AdminClient({"bootstrap.servers": self._servers})
        return list(client.list_topics(timeout=METADATA_SECONDS).topics)


if __name__ == "__main__":
    KafkaPages(sys.argv[1], sys.argv[2], int(sys.argv[3])).serve()
