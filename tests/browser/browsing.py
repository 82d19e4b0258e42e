"""A browser without script, for the review pages in this process: it keeps cookies and fills in forms."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from uuid import UUID

import httpx
from support.phones import Phone, RunningService

from triage.store.access import page_sign_in


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "form":
            self.found.append((said["action"] or "", {}))
        if tag == "input" and self.found and said.get("name"):
            self.found[-1][1][said["name"] or ""] = said.get("value") or ""


def forms(page: str) -> list[tuple[str, dict[str, str]]]:
    """Every form of a page: where it goes, and what it would send."""
    parser = _Forms()
    parser.feed(page)
    return parser.found


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
    return (await page_sign_in.issue_code(phone.service.database, team_id, phone.staff_id)).code


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
