"""createDestination and its siblings, grantless all of them (FACTS 9.1, 2.4.1)."""

from typing import Annotated, Any
from uuid import uuid4

import msgspec

from amazon_sandbox.calls import Call
from amazon_sandbox.notifications.registry import Destination
from amazon_sandbox.wire import Answer, SpApiError, invalid_input, json_answer

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class SqsResource(msgspec.Struct):
    arn: Annotated[str, msgspec.Meta(max_length=1000, pattern=r"^arn:aws:sqs:\S+:\S+:\S+$")]


class EventBridgeResource(msgspec.Struct, rename="camel"):
    region: _Name
    account_id: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{12}$")]


class ResourceSpecification(msgspec.Struct, rename="camel"):
    sqs: SqsResource | None = None
    event_bridge: EventBridgeResource | None = None


class CreateDestinationRequest(msgspec.Struct, rename="camel"):
    name: _Name
    resource_specification: ResourceSpecification


def create_destination(call: Call) -> Answer:
    """A queue need not be there, and nobody checks its policy: a mistake stays silent (FACTS 9.2)."""
    try:
        request = msgspec.convert(call.document(), CreateDestinationRequest)
    except msgspec.ValidationError as error:
        raise invalid_input("Request body does not have the expected shape.", str(error)) from error
    resource = request.resource_specification
    if (resource.sqs is None) == (resource.event_bridge is None):
        raise invalid_input("resourceSpecification takes exactly one of sqs and eventBridge.")
    app = call.token.app
    destination = Destination(
        destination_id=str(uuid4()),
        client_id=app.client_id,
        region=app.region,
        name=request.name,
        queue_arn=resource.sqs.arn if resource.sqs is not None else None,
    )
    if resource.event_bridge is not None:
        account_id = resource.event_bridge.account_id
        destination = msgspec.structs.replace(
            destination,
            account_id=account_id,
            aws_region=resource.event_bridge.region,
            event_source=f"aws.partner/sellingpartnerapi.amazon.com/{account_id}/{app.application_id}",
        )
    same = [one for one in _own(call) if _resource(one) == _resource(destination)]
    if same:
        raise SpApiError(409, "Conflict", "There is a destination with this resource already.", same[0].destination_id)
    registry = call.world.notifications

    def effect() -> None:
        registry.destinations[destination.destination_id] = destination

    return json_answer({"payload": _document(destination)}, effect=effect)


def get_destinations(call: Call) -> Answer:
    return json_answer({"payload": [_document(one) for one in _own(call)]})


def get_destination(call: Call) -> Answer:
    return json_answer({"payload": _document(own_destination(call, call.arguments[0]))})


def delete_destination(call: Call) -> Answer:
    """Not while a subscription uses it."""
    destination = own_destination(call, call.arguments[0])
    registry = call.world.notifications
    if any(one.destination_id == destination.destination_id for one in registry.subscriptions.values()):
        raise SpApiError(409, "Conflict", "A subscription uses this destination.", destination.destination_id)

    def effect() -> None:
        registry.destinations.pop(destination.destination_id, None)

    return json_answer({}, effect=effect)


def own_destination(call: Call, destination_id: str) -> Destination:
    """A destination of the calling app. Raises SpApiError 404."""
    found = call.world.notifications.destinations.get(destination_id)
    if found is None or found.client_id != call.token.app.client_id:
        raise SpApiError(404, "NotFound", "The destination does not exist.", destination_id)
    return found


def _own(call: Call) -> list[Destination]:
    client_id = call.token.app.client_id
    return [one for one in call.world.notifications.destinations.values() if one.client_id == client_id]


def _resource(destination: Destination) -> dict[str, Any]:
    if destination.queue_arn is not None:
        return {"sqs": {"arn": destination.queue_arn}}
    return {
        "eventBridge": {
            "name": destination.event_source,
            "region": destination.aws_region,
            "accountId": destination.account_id,
        }
    }


def _document(destination: Destination) -> dict[str, Any]:
    return {
        "destinationId": destination.destination_id,
        "name": destination.name,
        "resource": _resource(destination),
    }
