"""Tokens 2021-03-01: createRestrictedDataToken (FACTS 4.4 to 4.8)."""

from typing import Any, Literal

import msgspec

from amazon_sandbox.apps import APP_BY_APPLICATION_ID
from amazon_sandbox.calls import Call
from amazon_sandbox.grants import RESTRICTED_TOKEN_LIFE_S, RestrictedResource
from amazon_sandbox.roles import DIRECT_TO_CONSUMER, TAX_INVOICING, TAX_REMITTANCE
from amazon_sandbox.wire import Answer, invalid_input, json_answer, unauthorized

_MOST_RESOURCES = 50

# FACTS 4.7, as far as this Amazon has the operations: the path, and whether it takes dataElements (FACTS 4.4).
_RESTRICTED_PATHS = (
    ("orders/v0/orders", True),
    ("orders/v0/orders/*", True),
    ("orders/v0/orders/*/orderItems", True),
    ("orders/v0/orders/*/address", False),
    ("orders/v0/orders/*/buyerInfo", False),
    ("orders/v0/orders/*/regulatedInfo", False),
    ("orders/v0/orders/*/orderItems/buyerInfo", False),
    ("reports/2021-06-30/documents/*", False),
)
_SPECIFIC_ONLY = "reports/2021-06-30/documents/*"

# Which roles open an element; one of them is enough.
_ELEMENT_ROLES = {
    "buyerInfo": frozenset({DIRECT_TO_CONSUMER, TAX_INVOICING, TAX_REMITTANCE}),
    "shippingAddress": frozenset({DIRECT_TO_CONSUMER}),
    "buyerTaxInformation": frozenset({TAX_INVOICING, TAX_REMITTANCE}),
}
_ANY_RESTRICTED_ROLE = _ELEMENT_ROLES["buyerInfo"]


class Resource(msgspec.Struct, rename="camel"):
    """`RestrictedResource`."""

    method: Literal["GET", "PUT", "POST", "DELETE"]
    path: str
    data_elements: list[str] = []


def create_restricted_data_token(call: Call) -> Answer:
    """`{"restrictedDataToken", "expiresIn"}`. The token is good for exactly these resources (FACTS 4.6)."""
    grant = call.token.grant
    if grant is None or call.token.restricted is not None:
        raise unauthorized("A Restricted Data Token is made with the seller's access token.")
    document = call.document()
    _refuse_target(document)
    resources = _resources(document)
    wanted = [element for resource in resources for element in resource.data_elements]
    unopened = [element for element in dict.fromkeys(wanted) if _ELEMENT_ROLES[element].isdisjoint(call.roles)]
    if unopened:  # FACTS 4.5
        raise invalid_input(
            f"Application does not have access to one or more requested data elements: [{', '.join(unopened)}]"
        )
    if _ANY_RESTRICTED_ROLE.isdisjoint(call.roles):
        raise unauthorized("The application has no restricted role.")
    restricted = tuple(RestrictedResource(one.method, one.path, frozenset(one.data_elements)) for one in resources)
    token = call.world.grants.issue_restricted_token(grant.app, grant, restricted, call.world.clock.now_ms())
    return json_answer({"restrictedDataToken": token, "expiresIn": RESTRICTED_TOKEN_LIFE_S})


def _refuse_target(document: dict[str, Any]) -> None:
    """Absent is fine, null is not (FACTS 4.4)."""
    if "targetApplication" in document and document["targetApplication"] not in tuple(APP_BY_APPLICATION_ID):
        raise invalid_input("Invalid Input", "targetApplication is the id of an application.")


def _resources(document: dict[str, Any]) -> list[Resource]:
    try:
        resources = msgspec.convert(document.get("restrictedResources"), list[Resource])
    except msgspec.ValidationError as error:
        raise invalid_input("Invalid Input", f"restrictedResources: {error}") from error
    if not 1 <= len(resources) <= _MOST_RESOURCES:
        raise invalid_input(f"restrictedResources takes 1 to {_MOST_RESOURCES} resources.")
    for resource in resources:
        _refuse_wrong(resource)
    return resources


def _refuse_wrong(resource: Resource) -> None:
    path = resource.path.removeprefix("/")
    fitting = [row for row in _RESTRICTED_PATHS if resource.method == "GET" and _fits(row[0], path)]
    if not fitting or not resource.path.startswith("/"):
        raise invalid_input(f"The resource {resource.method} {resource.path} is not a restricted operation.")
    pattern, takes_elements = fitting[0]
    if pattern == _SPECIFIC_ONLY and "{" in path:
        raise invalid_input("The path of a report document must be specific.")
    if resource.data_elements and not takes_elements:
        raise invalid_input("dataElements are only supported by getOrders, getOrder and getOrderItems.")
    unknown = [element for element in resource.data_elements if element not in _ELEMENT_ROLES]
    if unknown:
        raise invalid_input(f"Unknown dataElements: {', '.join(unknown)}")


def _fits(pattern: str, path: str) -> bool:
    own, given = pattern.split("/"), path.split("/")
    return len(own) == len(given) and all(
        mine in ("*", theirs) and theirs for mine, theirs in zip(own, given, strict=True)
    )
