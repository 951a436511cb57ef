"""The tables of auth. Every secret column is ciphertext (`vault.py`) or a SHA-256."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import LargeBinary, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from auth_service.lifecycle import Status
from common.contracts.connections import Region
from common.db import UtcField, new_registry


class AuthTable(SQLModel, registry=new_registry()):
    """Base of auth's own tables."""


class Account(AuthTable, table=True):
    """The tenant."""

    __tablename__ = "account"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    name: str
    created_at: datetime = UtcField()


class ApiKey(AuthTable, table=True):
    """A credential of an account, or (without an account) of one of the platform's services."""

    __tablename__ = "api_key"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    account_id: UUID | None = Field(default=None, foreign_key="account.id", index=True)
    name: str
    key_hash: bytes = Field(sa_type=LargeBinary, unique=True)
    scopes: list[str] = Field(sa_type=ARRAY(Text))
    created_by: str
    created_at: datetime = UtcField()
    expires_at: datetime | None = UtcField(default=None)
    last_used_at: datetime | None = UtcField(default=None)
    revoked_at: datetime | None = UtcField(default=None)


class SigningKey(AuthTable, table=True):
    """An Ed25519 key that signs our JWTs; all are published, the newest signs. `id` is the JWT header's `kid`."""

    __tablename__ = "signing_key"

    id: str = Field(primary_key=True)
    public_key: bytes = Field(sa_type=LargeBinary)
    private_key: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = UtcField()


class Connection(AuthTable, table=True):
    """One seller authorisation; `version` counts what was announced on `entrepot.connections`."""

    __tablename__ = "connection"
    __table_args__ = (UniqueConstraint("account_id", "selling_partner_id", "region"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    name: str
    selling_partner_id: str
    region: Region = Field(sa_type=Text)
    home_marketplace_id: str
    status: Status = Field(default="pending", sa_type=Text)
    version: int = 0
    refresh_token: bytes | None = Field(default=None, sa_type=LargeBinary)
    authorized_at: datetime | None = UtcField(default=None)
    created_at: datetime = UtcField()
    updated_at: datetime = UtcField()


class Consent(AuthTable, table=True):
    """One consent page that was handed out; only the SHA-256 of its `state` is known here."""

    __tablename__ = "consent"

    state_hash: bytes = Field(sa_type=LargeBinary, primary_key=True)
    account_id: UUID
    connection_id: UUID = Field(foreign_key="connection.id", ondelete="CASCADE", index=True)
    region: Region = Field(sa_type=Text)
    expires_at: datetime = UtcField()
    used_at: datetime | None = UtcField(default=None)


class AccessToken(AuthTable, table=True):
    """A connection's Amazon access token, apart from the connection because it changes every hour.

    The process that holds the lease is the one that asks Amazon for the next token; a dead one's lease runs out.
    """

    __tablename__ = "access_token"

    connection_id: UUID = Field(foreign_key="connection.id", ondelete="CASCADE", primary_key=True)
    account_id: UUID
    token: bytes | None = Field(default=None, sa_type=LargeBinary)
    renew_at: datetime | None = UtcField(default=None)
    expires_at: datetime | None = UtcField(default=None)
    replaced_refused_at: datetime | None = UtcField(default=None)
    lease_id: UUID | None = None
    lease_until: datetime | None = UtcField(default=None)


class Channel(AuthTable, table=True):
    """A place that sells: one marketplace of one connection."""

    __tablename__ = "channel"
    __table_args__ = (UniqueConstraint("connection_id", "marketplace_id"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    account_id: UUID = Field(index=True)
    connection_id: UUID = Field(foreign_key="connection.id")
    name: str
    marketplace_id: str
    seller_of_record: str
    return_address: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    paused: bool = False
    created_at: datetime = UtcField()
    updated_at: datetime = UtcField()


METADATA = (AuthTable.metadata,)
