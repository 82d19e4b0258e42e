"""The bare equivalent in FastAPI with SQLAlchemy: sign in, check fields, store one row or five hundred, read.

No rules, no chain, no duplicates told apart, no views. `PEER_URL` is the database; served by uvicorn, one process.
"""

import os
from collections.abc import AsyncIterator
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy import DateTime, Identity, Text, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["PEER_URL"].replace("postgresql://", "postgresql+asyncpg://"), pool_size=10)
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


class Base(DeclarativeBase):
    """Tables of the schema `peers`."""

    __table_args__ = {"schema": "peers"}  # noqa: RUF012 - SQLAlchemy's own way


class Token(Base):
    """Who may send."""

    __tablename__ = "token"
    hash: Mapped[bytes] = mapped_column(primary_key=True)
    team_id: Mapped[UUID]
    author: Mapped[UUID]


class Record(Base):
    """One stored record."""

    __tablename__ = "record"
    seq: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    id: Mapped[UUID]
    team_id: Mapped[UUID]
    author: Mapped[UUID]
    kind: Mapped[str] = mapped_column(Text)
    incident_id: Mapped[UUID]
    captured_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Sent(BaseModel):
    """A record as it is sent: its common fields are checked, the others are kept."""

    model_config = ConfigDict(extra="allow")
    id: UUID
    kind: str
    incident_id: UUID
    captured_at: AwareDatetime
    codes_version: int


class SentMany(BaseModel):
    """Up to five hundred records."""

    entries: list[Sent]


async def session() -> AsyncIterator[AsyncSession]:
    async with sessions() as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]


async def signed_in(opened: Session, authorization: Annotated[str, Header()]) -> Token:
    digest = sha256(authorization.removeprefix("Bearer ").encode()).digest()
    token = await opened.get(Token, digest)
    if token is None:
        raise HTTPException(401)
    return token


Actor = Annotated[Token, Depends(signed_in)]


def row(token: Token, sent: Sent) -> dict[str, Any]:
    return {
        "id": sent.id,
        "team_id": token.team_id,
        "author": token.author,
        "kind": sent.kind,
        "incident_id": sent.incident_id,
        "captured_at": sent.captured_at,
        "body": sent.model_dump(mode="json"),
    }


@app.post("/records", status_code=201)
async def create(opened: Session, token: Actor, sent: Sent) -> dict[str, Any]:
    record = Record(**row(token, sent))
    opened.add(record)
    await opened.commit()
    return {"id": record.id, "seq": record.seq, "status": "stored"}


@app.post("/sync")
async def create_many(opened: Session, token: Actor, sent: SentMany) -> dict[str, Any]:
    await opened.execute(insert(Record), [row(token, entry) for entry in sent.entries])
    await opened.commit()
    return {"results": [{"id": entry.id, "status": "stored"} for entry in sent.entries]}


@app.get("/changes")
async def changes(opened: Session, token: Actor, after: int) -> dict[str, Any]:
    asked = select(Record).where(Record.team_id == token.team_id, Record.seq > after).order_by(Record.seq).limit(100)
    records = (await opened.scalars(asked)).all()
    return {"records": [{"seq": record.seq, "id": record.id, "body": record.body} for record in records]}
