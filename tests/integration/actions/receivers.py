"""The other side: a server that takes webhooks and verifies them, and a server that takes mails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP
from standardwebhooks import Webhook

from streams.actions.signatures import written_secret

SECRET = written_secret(bytes(range(32)))

Answers = Callable[[int], web.StreamResponse]


class HookServer:
    """Answers `/hook` as told, and keeps what came, verified by the reference library."""

    def __init__(self) -> None:
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.elsewhere = 0
        self.answer: Answers = lambda _: web.Response(status=204)
        self.hang = False
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def __aenter__(self) -> HookServer:
        application = web.Application()
        application.router.add_post("/hook", self._hook)
        application.router.add_route("*", "/private", self._private)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _hook(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        told = Webhook(SECRET).verify(body, dict(request.headers))
        self.received.append((request.headers["webhook-id"], told))
        if self.hang:
            await asyncio.Event().wait()
        return self.answer(len(self.received))

    async def _private(self, request: web.Request) -> web.Response:
        self.elsewhere += 1
        return web.Response(text="what nobody outside may see")


class MailBox:
    """An SMTP server; `answer` may refuse a mail."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answer = "250 taken"
        self.port = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> MailBox:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SMTP(self), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return self.answer
