"""The tables of auth. Every secret column is ciphertext (`vault.py`) or a SHA-256."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from auth_service.lifecycle import Status, reauthorize_by
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
    """One seller authorisation; `version` counts what was announced on `entrepot.connections`.

    `checked_at` and `check_problem` (a slug) are of the last time Amazon was asked whether the authorisation holds.
    """

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
    checked_at: datetime | None = UtcField(default=None)
    check_problem: str | None = None
    created_at: datetime = UtcField()
    updated_at: datetime = UtcField()

    @property
    def reauthorize_by(self) -> datetime | None:
        """When the yearly authorisation ends (FACTS 2.3.4)."""
        return reauthorize_by(self.authorized_at)


class Consent(AuthTable, table=True):
    """One consent page that was handed out; only the SHA-256 of its `state` is known here, and of the nonce of the
    browser that it was handed to."""

    __tablename__ = "consent"

    state_hash: bytes = Field(sa_type=LargeBinary, primary_key=True)
    account_id: UUID
    connection_id: UUID = Field(foreign_key="connection.id", ondelete="CASCADE", index=True)
    region: Region = Field(sa_type=Text)
    begun_by: str = Field(default="", sa_column_kwargs={"server_default": ""})
    browser_hash: bytes | None = Field(default=None, sa_type=LargeBinary)
    expires_at: datetime = UtcField()
    used_at: datetime | None = UtcField(default=None)


class Authorization(AuthTable, table=True):
    """An authorisation that began at Amazon (FACTS 2.2) and waits for an account to claim it; `amazon_state` is
    ciphertext."""

    __tablename__ = "authorization"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    account_id: UUID | None = None
    selling_partner_id: str
    region: Region = Field(sa_type=Text)
    home_marketplace_id: str
    callback_uri: str
    amazon_state: bytes = Field(sa_type=LargeBinary)
    draft: bool
    browser_hash: bytes | None = Field(default=None, sa_type=LargeBinary)
    created_at: datetime = UtcField()
    expires_at: datetime = UtcField(index=True)


class AccessToken(AuthTable, table=True):
    """A connection's Amazon access token, apart from the connection because it changes every hour.

    `replaced_refused_at` is set where a refusal led to this token; `refused_as_well` when it fared no better.

    The process that holds the lease is the one that asks Amazon for the next token; a dead one's lease runs out. After
    `failures` in a row nobody asks until `ask_again_at`; `app_refusal` is Amazon's word, where it refused our app.
    """

    __tablename__ = "access_token"

    connection_id: UUID = Field(foreign_key="connection.id", ondelete="CASCADE", primary_key=True)
    account_id: UUID
    token: bytes | None = Field(default=None, sa_type=LargeBinary)
    renew_at: datetime | None = UtcField(default=None)
    expires_at: datetime | None = UtcField(default=None)
    replaced_refused_at: datetime | None = UtcField(default=None)
    refused_as_well: bool = Field(default=False, sa_column_kwargs={"server_default": "false"})
    lease_id: UUID | None = None
    lease_until: datetime | None = UtcField(default=None)
    failures: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    ask_again_at: datetime | None = UtcField(default=None)
    app_refusal: str | None = None


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


class Notification(AuthTable, table=True):
    """Something people should know of: a connection that changed its state, or is about to. `occasion` is set where
    the same may be found more than once, and told once."""

    __tablename__ = "notification"
    __table_args__ = (Index("ix_notification_account", "account_id", "created_at", "id"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    account_id: UUID
    connection_id: UUID | None = None
    code: str
    detail: str
    fix: str
    occasion: str | None = Field(default=None, unique=True)
    created_at: datetime = UtcField()


class AuditEntry(AuthTable, table=True):
    """Who did what to which connection, channel or key. The database refuses to change or remove a row."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_account", "account_id", "created_at", "id"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    account_id: UUID
    actor: str
    action: str
    subject_id: UUID | None = None
    facts: dict[str, Any] = Field(sa_type=JSONB)
    created_at: datetime = UtcField()


METADATA = (AuthTable.metadata,)
