"""The bodies of auth's API."""

from datetime import datetime
from typing import Annotated, Self, get_args
from uuid import UUID

from pydantic import Field, SecretStr, StringConstraints

from auth_service.lifecycle import Status, reauthorize_by
from common.contracts.connections import Address
from common.moments import Moment
from common.reading import Row
from common.schemas import Answer, Body, MarketplaceId, Name, Values

SellingPartnerId = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Z0-9]{4,64}$")]

# FACTS 2.3.1: tokens have up to 2048 bytes. Secret: no error and no log shows it.
RefreshToken = Annotated[SecretStr, Field(min_length=8, max_length=2048)]
# What an audit entry tells: names and ids, never a secret.
Fact = str | int | bool | list[str] | None
Scope = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class NewApiKey(Body):
    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=100)]
    expires_at: Moment | None = None


class ApiKeyAnswer(Answer):
    id: UUID
    name: str
    scopes: list[str]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class CreatedApiKeyAnswer(ApiKeyAnswer):
    """`key` is shown this once; a repeat with the same Idempotency-Key answers null there."""

    key: str | None


class MarketplaceAnswer(Answer):
    """A marketplace, and whose app its sellers authorise."""

    marketplace_id: str
    country_code: str
    name: str
    region: str = Values("NA", "EU", "FE", description="Amazon's region group")
    endpoint: str
    consent_host: str
    currency: str
    default_language: str
    developer_name: str
    developer_account: str


class NewConnection(Body):
    """`marketplace_id` is the home marketplace: its consent page is used, and its region is the connection's."""

    name: Name
    selling_partner_id: SellingPartnerId
    marketplace_id: MarketplaceId


class SelfAuthorizedConnection(NewConnection):
    """With the refresh token of an app that its owner authorised in the developer console."""

    refresh_token: RefreshToken


class NewRefreshToken(Body):
    refresh_token: RefreshToken


class ConnectionChanges(Body):
    name: Name | None = None
    marketplace_id: MarketplaceId | None = None


class ConnectionAnswer(Answer):
    id: UUID
    name: str
    selling_partner_id: str
    region: str = Values("NA", "EU", "FE", description="Amazon's region group")
    home_marketplace_id: str
    status: str = Values(*get_args(Status), description="whether calls to Amazon may be made for it")
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


class Developer(Answer):
    """Whose app the seller authorises, as Amazon's page shows it: another one in each region group."""

    developer_name: str
    developer_account: str


class CreatedConnectionAnswer(ConnectionAnswer, Developer):
    """`consent_url` is where the seller says yes; it works once and for ten minutes."""

    consent_url: str


class ConsentAnswer(Developer):
    consent_url: str


class ClaimedAuthorizationAnswer(Developer):
    """`redirect_url` is where the browser goes on to, at Amazon; it works once and for ten minutes."""

    connection: ConnectionAnswer
    redirect_url: str


class AuthorizationAnswer(Answer):
    """What came from Amazon and waits for `POST /v1/authorizations/{id}/claim`."""

    authorization_id: UUID


class ParticipationAnswer(Answer):
    """A marketplace of the seller; `active` means that they sell there and nothing is suspended."""

    marketplace_id: str
    country_code: str
    name: str
    store_name: str
    active: bool
    is_participating: bool
    has_suspended_listings: bool


class ConnectionCheckAnswer(Answer):
    connection_id: UUID
    marketplaces: list[ParticipationAnswer]


class ReturnAddress(Body):
    """Of the seller's own business. Its lines fit a packing slip."""

    name: Name
    line_1: Name
    line_2: Name | None = None
    city: Name
    state_or_region: Name | None = None
    postal_code: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Za-z0-9 -]{1,20}$")]
    country_code: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Z]{2}$")]


class NewChannel(Body):
    """`seller_of_record` and `return_address` are what packing slips name."""

    name: Name
    connection_id: UUID
    marketplace_id: MarketplaceId
    seller_of_record: Name
    return_address: ReturnAddress | None = None


class ChannelChanges(Body):
    """Only what is given changes; `return_address` null removes it."""

    name: Name | None = None
    marketplace_id: MarketplaceId | None = None
    seller_of_record: Name | None = None
    return_address: ReturnAddress | None = None


class ChannelAnswer(Answer):
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


class ChannelTestAnswer(Answer):
    """`ok`: the seller sells in the channel's marketplace; `detail` says it in words."""

    channel_id: UUID
    marketplace_id: str
    ok: bool
    detail: str
    marketplaces: list[ParticipationAnswer]


class NotificationAnswer(Answer):
    """`code` is stable; `detail` and `fix` are for people."""

    id: UUID
    connection_id: UUID | None
    code: str
    detail: str
    fix: str
    created_at: datetime


class AuditEntryAnswer(Answer):
    """`actor`: `key:<id>`, the subject of an external token, `amazon`, `schedule` or `command line`."""

    id: UUID
    actor: str
    action: str
    subject_id: UUID | None
    facts: dict[str, Fact] = Field(description="what else is known, by name")
    created_at: datetime


class SigningKeyAnswer(Answer):
    """A public key (RFC 8037) of those that sign our tokens."""

    kty: str
    crv: str
    x: str
    kid: str
    alg: str
    use: str


class SigningKeysAnswer(Answer):
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[SigningKeyAnswer]


class OAuthRefusalAnswer(Answer):
    """What an OAuth client is told (RFC 6749, 5.2)."""

    error: str = Values(
        *("invalid_request", "invalid_client", "invalid_scope", "unsupported_grant_type"), description="for programs"
    )
    error_description: str
