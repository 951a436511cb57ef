"""What every service reads from its environment. Secrets that belong to development are refused elsewhere."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, AnyHttpUrl, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from common.contracts.connections import Region
from common.database_url import read_database_url

DEVELOPMENT_MARK = "dev-only-"

AUDIENCE = "entrepot"

Role = Literal["api", "worker"]
# What an external issuer may sign with; a shared secret (HS256) or `none` can never be configured.
AsymmetricAlgorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]


def _readable(url: SecretStr) -> SecretStr:
    return SecretStr(read_database_url(url.get_secret_value()))


class DatabaseSettings(BaseSettings):
    """What a command reads that works on the database alone. Names are environment variables in upper case."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    environment: Literal["development", "test", "production"] = "production"
    log_level: str = "INFO"
    database_url: Annotated[SecretStr, AfterValidator(_readable)]

    @model_validator(mode="after")
    def _no_development_secrets_in_production(self) -> Self:
        if self.environment == "production":
            for name in type(self).model_fields:
                value = getattr(self, name)
                if isinstance(value, SecretStr) and DEVELOPMENT_MARK in value.get_secret_value():
                    raise ValueError(f"{name.upper()} holds a development secret; set your own for production")
        return self


class SealingSettings(DatabaseSettings):
    """What a command reads that wraps or unwraps secrets as well."""

    key_ring: SecretStr = Field(description="`id:base64 of 32 bytes`, comma separated; the first one encrypts")


class ServiceSettings(SealingSettings):
    """Common to all services; a service adds its own fields."""

    roles: Annotated[frozenset[Role], NoDecode] = frozenset({"api", "worker"})
    host: str = "127.0.0.1"
    port: int = 8000
    most_requests: int = Field(default=256, ge=1, description="requests answered at a time; more are told to come back")
    most_connections: int = Field(default=1000, ge=1, description="open connections of clients; more are refused")
    head_seconds: float = Field(default=15, gt=0, description="for a request's line and headers to arrive")
    body_silent_seconds: float = Field(default=15, gt=0, description="how long a body may be silent before its end")
    drain_seconds: float = Field(
        default=5, gt=0, description="a refused body is dropped for so long, that its sender sees the answer"
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="origins of frontends on other hosts whose pages may call this service; each by name"
    )

    database_pool_size: int = Field(default=20, ge=1, description="most connections of this process to its database")
    kafka_bootstrap_servers: str
    consumer_rest_seconds: float = Field(
        default=0,
        ge=0,
        description="pause after an empty fetch, for a broker that answers it at once (the embedded one)",
    )
    replica: int = Field(default=0, description="ordinal of this replica; makes the consumer's static instance id")

    run_wait_alarm_seconds: float = Field(
        default=900, gt=0, description="how long a run may wait for one thing before that is an error in the log"
    )

    # Topics that are not compacted keep 14 days: a replay from the start stays harmless.
    inbox_keep_days: int = Field(default=30, ge=15, description="how long a handled event is remembered")
    idempotency_keep_days: int = Field(default=7, ge=1, description="how long an Idempotency-Key is remembered")
    ended_runs_keep_days: int = Field(default=90, ge=1, description="how long operation runs that ended are shown")
    refused_events_keep_days: int = Field(default=90, ge=1, description="how long refused events are shown")

    clock_url: AnyHttpUrl | None = Field(
        default=None, description="a clock to follow, the local Amazon's /sandbox/clock; refused in production"
    )

    auth_url: AnyHttpUrl = Field(description="base URL of the auth service: tokens, JWKS, Amazon access tokens")
    token_issuer: str = Field(default="entrepot", description="`iss` of the JWTs that are accepted")
    oidc_issuer: str = Field(default="", description="an external OIDC issuer, accepted beside auth: its `iss`")
    oidc_jwks_url: AnyHttpUrl | None = Field(default=None, description="where that issuer publishes its keys")
    oidc_audience: str = AUDIENCE
    oidc_algorithms: Annotated[tuple[AsymmetricAlgorithm, ...], NoDecode] = ("RS256",)
    oidc_account_claim: str = Field(default="account", description="the claim that holds the account's UUID")
    service_key: SecretStr = Field(description="this service's own API key, exchanged at auth")

    amazon_endpoint_na: AnyHttpUrl | None = None
    amazon_endpoint_eu: AnyHttpUrl | None = None
    amazon_endpoint_fe: AnyHttpUrl | None = None
    amazon_client_id_na: str = ""
    amazon_client_id_eu: str = ""
    amazon_client_id_fe: str = ""

    @field_validator("oidc_jwks_url", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _external_issuer_is_whole(self) -> Self:
        if self.oidc_issuer and self.oidc_jwks_url is None:
            raise ValueError("OIDC_JWKS_URL is needed with OIDC_ISSUER")
        if self.oidc_issuer == self.token_issuer:
            raise ValueError("OIDC_ISSUER must differ from TOKEN_ISSUER: each has keys of its own")
        return self

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(origin)
            if (
                parts.scheme not in ("http", "https")
                or not parts.hostname
                or origin != f"{parts.scheme}://{parts.netloc}"
            ):
                raise ValueError("each is https://host or https://host:port: a page of any origin may not call us")
        return origins

    @field_validator("roles", "oidc_algorithms", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _our_own_time_in_production(self) -> Self:
        if self.environment == "production" and self.clock_url is not None:
            raise ValueError("CLOCK_URL moves this service's time: it is for tests and development only")
        return self

    @property
    def amazon_endpoints(self) -> dict[Region, str]:
        """Overridden SP-API base URLs by region; a region that is absent goes to Amazon itself."""
        given: dict[Region, AnyHttpUrl | None] = {
            "NA": self.amazon_endpoint_na,
            "EU": self.amazon_endpoint_eu,
            "FE": self.amazon_endpoint_fe,
        }
        return {region: str(url).rstrip("/") for region, url in given.items() if url}

    @property
    def amazon_client_ids(self) -> dict[Region, str]:
        """The app's LWA client id by region: what the rate limits are counted for."""
        return {"NA": self.amazon_client_id_na, "EU": self.amazon_client_id_eu, "FE": self.amazon_client_id_fe}
