"""The bodies of auth's API."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from auth_service.lifecycle import Status, reauthorize_by
from common.contracts.connections import Address, Region
from common.moments import Moment
from common.reading import Row

# PostgreSQL's text holds no NUL.
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
SellingPartnerId = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Z0-9]{4,64}$")]
MarketplaceId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=32)]

# FACTS 2.3.1: tokens have up to 2048 bytes. Secret: no error and no log shows it.
RefreshToken = Annotated[SecretStr, Field(min_length=8, max_length=2048)]


class Body(BaseModel):
    """A request: a misspelt field is an error, not a silence."""

    model_config = ConfigDict(extra="forbid")


class View(BaseModel):
    """An answer, read off a table's row."""

    model_config = ConfigDict(from_attributes=True)


class NewApiKey(Body):
    name: Text
    scopes: Annotated[list[str], Field(min_length=1)]
    expires_at: Moment | None = None


class ApiKeyView(View):
    id: UUID
    name: str
    scopes: list[str]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class CreatedApiKey(ApiKeyView):
    """`key` is shown this once; a repeat with the same Idempotency-Key answers null there."""

    key: str | None


class MarketplaceView(View):
    """A marketplace, and whose app its sellers authorise."""

    marketplace_id: str
    country_code: str
    name: str
    region: Region
    endpoint: str
    consent_host: str
    currency: str
    default_language: str
    developer_name: str
    developer_account: str


class Marketplaces(BaseModel):
    items: list[MarketplaceView]


class NewConnection(Body):
    """`marketplace_id` is the home marketplace: its consent page is used, and its region is the connection's."""

    name: Text
    selling_partner_id: SellingPartnerId
    marketplace_id: MarketplaceId


class SelfAuthorizedConnection(NewConnection):
    """With the refresh token of an app that its owner authorised in the developer console."""

    refresh_token: RefreshToken


class NewRefreshToken(Body):
    refresh_token: RefreshToken


class ConnectionChanges(Body):
    name: Text | None = None
    marketplace_id: MarketplaceId | None = None


class ConnectionView(View):
    id: UUID
    name: str
    selling_partner_id: str
    region: Region
    home_marketplace_id: str
    status: Status
    version: int
    authorized_at: datetime | None
    reauthorize_by: datetime | None
    checked_at: datetime | None
    check_problem: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Row) -> Self:
        """From the table's columns, as a plain read gives them."""
        return cls.model_validate(dict(row) | {"reauthorize_by": reauthorize_by(row["authorized_at"])})


class Developer(BaseModel):
    """Whose app the seller authorises, as Amazon's page shows it: another one in each region group."""

    developer_name: str
    developer_account: str


class CreatedConnection(ConnectionView, Developer):
    """`consent_url` is where the seller says yes; it works once and for ten minutes."""

    consent_url: str


class ConsentPage(Developer):
    consent_url: str


class ClaimedAuthorization(Developer):
    """`redirect_url` is where the browser goes on to, at Amazon; it works once and for ten minutes."""

    connection: ConnectionView
    redirect_url: str


class KeptAuthorization(BaseModel):
    """What came from Amazon and waits for `POST /v1/authorizations/{id}/claim`."""

    authorization_id: UUID


class ParticipationView(BaseModel):
    """A marketplace of the seller; `active` means that they sell there and nothing is suspended."""

    marketplace_id: str
    country_code: str
    name: str
    store_name: str
    active: bool
    is_participating: bool
    has_suspended_listings: bool


class ConnectionCheck(BaseModel):
    connection_id: UUID
    marketplaces: list[ParticipationView]


class ReturnAddress(Body):
    """Of the seller's own business. Its lines fit a packing slip."""

    name: Text
    line_1: Text
    line_2: Text | None = None
    city: Text
    state_or_region: Text | None = None
    postal_code: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Za-z0-9 -]{1,20}$")]
    country_code: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Z]{2}$")]


class NewChannel(Body):
    """`seller_of_record` and `return_address` are what packing slips name."""

    name: Text
    connection_id: UUID
    marketplace_id: MarketplaceId
    seller_of_record: Text
    return_address: ReturnAddress | None = None


class ChannelChanges(Body):
    """Only what is given changes; `return_address` null removes it."""

    name: Text | None = None
    marketplace_id: MarketplaceId | None = None
    seller_of_record: Text | None = None
    return_address: ReturnAddress | None = None


class ChannelView(View):
    id: UUID
    connection_id: UUID
    name: str
    integration_type: str = "amazon"
    marketplace_id: str
    seller_of_record: str
    return_address: Address | None
    paused: bool
    created_at: datetime
    updated_at: datetime


class ChannelTest(BaseModel):
    """`ok`: the seller sells in the channel's marketplace; `what` says it in words."""

    channel_id: UUID
    marketplace_id: str
    ok: bool
    what: str
    marketplaces: list[ParticipationView]


class NotificationView(View):
    """`code` is stable; `detail` and `fix` are for people."""

    id: UUID
    connection_id: UUID | None
    code: str
    detail: str
    fix: str
    created_at: datetime


class AuditEntryView(View):
    """`actor`: `key:<id>`, the subject of an external token, `amazon`, `schedule` or `command line`."""

    id: UUID
    actor: str
    action: str
    subject_id: UUID | None
    facts: dict[str, Any]
    created_at: datetime
