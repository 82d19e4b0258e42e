"""A browser without script, for the review pages in this process: it keeps cookies and fills in forms."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from typing import NamedTuple
from uuid import UUID, uuid4

import httpx
from litestar import Litestar
from litestar.di import Provide
from litestar.routes import HTTPRoute
from support.phones import Phone, RunningService

from triage.pages.routes import router
from triage.store.access import enrolment


class _Forms(HTMLParser):
    """What each form would send as it stands: the buttons, radios and boxes that nobody pressed send nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self._select = self._textarea = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        fields = self.found[-1][1] if self.found else {}
        name, value = said.get("name", ""), said.get("value", "")
        match tag:
            case "form":
                self.found.append((said.get("action", ""), {}))
            case "input" if name and (said.get("type") not in ("radio", "checkbox") or "checked" in said):
                fields[name] = f"{fields[name]},{value}" if name in fields else value
            case "select":
                self._select = name
                fields[name] = ""
            case "option" if "selected" in said:
                fields[self._select] = value
            case "textarea":
                self._textarea = name
                fields[name] = ""

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.found[-1][1][self._textarea] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._textarea = ""


def forms(page: str) -> list[tuple[str, dict[str, str]]]:
    """Every form of a page: where it goes, and what it would send."""
    parser = _Forms()
    parser.feed(page)
    return parser.found


class PageAddress(NamedTuple):
    """A page or form of the review pages; `{…}` stands for what varies."""

    method: str
    path: str

    def filled(self, **values: object) -> str:
        """The address with its parts filled in."""
        return self.path.format(**{"id": uuid4(), "what": "end", "form": "csv", "rest": "x"} | values)


def pages_behind_sign_in() -> list[PageAddress]:
    """Every page and form that needs a session, from the routes themselves."""
    provided = {"service": Provide(lambda: None, sync_to_thread=False)}
    app = Litestar([router], dependencies=provided, openapi_config=None)
    forms = {
        PageAddress(method, re.sub(r":\w+}", "}", route.path_format.replace("/{rest}", "/nothing/{rest}")))
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method, (handler, _) in route.route_handler_map.items()
        if method != "OPTIONS" and handler.opt.get("session") != "none"
    }
    return sorted(forms)


def text(page: str) -> str:
    """What a reader sees of a page."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page))).strip()


@dataclass(slots=True)
class Browser:
    """One browser."""

    client: httpx.AsyncClient

    async def open(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=headers)

    async def read(self, path: str) -> str:
        """A page that must be there, as HTML."""
        answer = await self.open(path)
        assert answer.status_code == 200, (answer.status_code, answer.headers.get("location"), text(answer.text))
        return answer.text

    async def send(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        return await self.client.post(path, data=fields, headers=headers)

    async def press(self, page: str, action: str, **changed: str) -> httpx.Response:
        """Send the first form of a page that goes to an address."""
        fields = next(fields for to, fields in forms(page) if to == action)
        return await self.send(action, fields | changed)

    async def sign_in(self, code: str) -> httpx.Response:
        return await self.press(await self.read("/review/sign-in"), "/review/sign-in", code=code)


async def code_for(phone: Phone, team_id: UUID) -> str:
    """A one-time code for somebody."""
    return (await enrolment.issue_code_as_owner(phone.service.database, team_id, phone.staff_id)).code


@asynccontextmanager
async def browser(running: RunningService, base: str = "https://triage.test") -> AsyncIterator[Browser]:
    """A browser with no cookies yet."""
    async with httpx.AsyncClient(transport=running.client._transport, base_url=base) as client:
        yield Browser(client)


@asynccontextmanager
async def signed_in(running: RunningService, phone: Phone, team_id: UUID) -> AsyncIterator[Browser]:
    """A browser in which somebody is signed in."""
    async with browser(running) as opened:
        answer = await opened.sign_in(await code_for(phone, team_id))
        assert answer.status_code == 303, text(answer.text)
        yield opened
