"""What auth reads from its environment beside the common settings: one Amazon app per region group (MISSION A5)."""

from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Self

from pydantic import AnyHttpUrl, Field, SecretStr, StringConstraints, field_validator, model_validator

from common.contracts.connections import Region
from common.settings import ServiceSettings

# Kept as text: Amazon compares the redirect URI with the registered one character by character (MD5101).
_Url = Annotated[str, StringConstraints(pattern=r"^(https?://\S+)?$")]


@dataclass(frozen=True, slots=True)
class AppIdentity:
    """Our developer app in one region: what a seller of that region authorises.

    `client_secrets`: the newest first; while Amazon accepts two, both are here. `secret_issued` is the newest one's.
    """

    region: Region
    application_id: str
    is_draft: bool
    client_id: str
    client_secrets: tuple[str, ...] = field(repr=False)
    secret_issued: date | None
    developer_name: str
    developer_account: str


class AuthSettings(ServiceSettings):
    """Settings of the auth service."""

    amazon_lwa_url: AnyHttpUrl = AnyHttpUrl("https://api.amazon.com")
    amazon_consent_url: _Url = ""
    amazon_redirect_uri: _Url = ""
    frontend_url: _Url = ""
    consent_browser_bound: bool = Field(
        default=True, description="a consent ends in the browser that began it; false where a backend begins it"
    )

    signing_key_days: float = Field(default=90, gt=0, description="a new key signs the JWTs after so many days")
    housekeeping_every_seconds: float = Field(default=3600, gt=0)

    amazon_app_id_na: str = ""
    amazon_app_id_eu: str = ""
    amazon_app_id_fe: str = ""
    amazon_app_draft_na: bool = False
    amazon_app_draft_eu: bool = False
    amazon_app_draft_fe: bool = False
    amazon_client_secret_na: SecretStr = SecretStr("")
    amazon_client_secret_eu: SecretStr = SecretStr("")
    amazon_client_secret_fe: SecretStr = SecretStr("")
    amazon_client_secret_issued_na: date | None = None
    amazon_client_secret_issued_eu: date | None = None
    amazon_client_secret_issued_fe: date | None = None
    amazon_developer_name_na: str = ""
    amazon_developer_name_eu: str = ""
    amazon_developer_name_fe: str = ""
    amazon_developer_account_na: str = ""
    amazon_developer_account_eu: str = ""
    amazon_developer_account_fe: str = ""

    @field_validator(
        "amazon_client_secret_issued_na",
        "amazon_client_secret_issued_eu",
        "amazon_client_secret_issued_fe",
        mode="before",
    )
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _amazons_own_pages_in_production(self) -> Self:
        if self.environment == "production" and self.amazon_consent_url:
            raise ValueError("AMAZON_CONSENT_URL belongs to the local Amazon; in production it must be empty")
        return self

    def app(self, region: Region) -> AppIdentity:
        """The app of a region; its fields are empty where nothing is configured."""
        suffix = region.lower()
        secret: SecretStr = getattr(self, f"amazon_client_secret_{suffix}")
        return AppIdentity(
            region=region,
            application_id=getattr(self, f"amazon_app_id_{suffix}"),
            is_draft=getattr(self, f"amazon_app_draft_{suffix}"),
            client_id=self.amazon_client_ids[region],
            client_secrets=tuple(filter(None, (one.strip() for one in secret.get_secret_value().split(",")))),
            secret_issued=getattr(self, f"amazon_client_secret_issued_{suffix}"),
            developer_name=getattr(self, f"amazon_developer_name_{suffix}"),
            developer_account=getattr(self, f"amazon_developer_account_{suffix}"),
        )
