"""What a token may allow, one word per service and verb. Every route of every service names one of these."""

from common.contracts.http import ACCESS_TOKEN_SCOPE

ACCOUNT_SCOPES = (
    "account:admin",
    "connections:read",
    "connections:write",
    "channels:read",
    "channels:write",
    "listings:read",
    "listings:write",
    "orders:read",
    "orders:write",
    "orders:pii",
    "sources:read",
    "sources:write",
    "operations:read",
    "operations:write",
)
# Of the platform's own services, which act for every account; no account's key can hold them.
SERVICE_SCOPES = (ACCESS_TOKEN_SCOPE,)
# Of who runs the platform: nothing of any account.
OPERATOR_SCOPES = ("platform:read",)
