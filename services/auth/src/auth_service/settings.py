"""What auth reads from its environment beside the common settings: one Amazon app per region group (MISSION A5)."""

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import AnyHttpUrl, SecretStr, StringConstraints

from common.contracts.connections import Region
from common.settings import ServiceSettings

# Kept as text: Amazon compares the redirect URI with the registered one character by character (MD5101).
_Url = Annotated[str, StringConstraints(pattern=r"^(https?://\S+)?$")]


@dataclass(frozen=True, slots=True)
class AppIdentity:
    """Our developer app in one region: what a seller of that region authorises."""

    region: Region
    application_id: str
    client_id: str
    client_secret: str = field(repr=False)
    developer_name: str
    developer_account: str


class AuthSettings(ServiceSettings):
    """Settings of the auth service."""

    amazon_lwa_url: AnyHttpUrl = AnyHttpUrl("https://api.amazon.com")
    amazon_consent_url: _Url = ""
    amazon_redirect_uri: _Url = ""
    amazon_app_draft: bool = False
    frontend_url: _Url = ""

    amazon_app_id_na: str = ""
    amazon_app_id_eu: str = ""
    amazon_app_id_fe: str = ""
    amazon_client_secret_na: SecretStr = SecretStr("")
    amazon_client_secret_eu: SecretStr = SecretStr("")
    amazon_client_secret_fe: SecretStr = SecretStr("")
    amazon_developer_name_na: str = ""
    amazon_developer_name_eu: str = ""
    amazon_developer_name_fe: str = ""
    amazon_developer_account_na: str = ""
    amazon_developer_account_eu: str = ""
    amazon_developer_account_fe: str = ""

    def app(self, region: Region) -> AppIdentity:
        """The app of a region; its fields are empty where nothing is configured."""
        suffix = region.lower()
        secret: SecretStr = getattr(self, f"amazon_client_secret_{suffix}")
        return AppIdentity(
            region=region,
            application_id=getattr(self, f"amazon_app_id_{suffix}"),
            client_id=self.amazon_client_ids[region],
            client_secret=secret.get_secret_value(),
            developer_name=getattr(self, f"amazon_developer_name_{suffix}"),
            developer_account=getattr(self, f"amazon_developer_account_{suffix}"),
        )
