"""Rotation of the client secret: the new one comes by queue, and both hold for a while."""

import json
from typing import Any

import pytest

from amazon_sandbox.lwa import ROTATION_SCOPE
from amazon_sandbox.testing import LocalAmazon, app_of

PATH = "/applications/2023-11-30/clientSecret"
POLICY = json.dumps(
    {
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "437568002678"}, "Action": ["SQS:*"], "Resource": "*"},
        ]
    }
)
DAY_S = 24 * 3600


def enrolled_queue(amazon: LocalAmazon, sqs: Any) -> str:
    url: str = sqs.create_queue(QueueName="secrets", Attributes={"Policy": POLICY})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    amazon.app_settings(secret_queue_arn=arn)
    return url


def arrived(sqs: Any, url: str) -> list[Any]:
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in messages]


def status_with(amazon: LocalAmazon, secret: str) -> int:
    return amazon.token(grant_type="client_credentials", scope=ROTATION_SCOPE, client_secret=secret).status_code


@pytest.mark.fact("2.5")
def test_without_an_enrolled_queue_there_is_no_rotation(amazon: LocalAmazon) -> None:
    answer = amazon.grantless(ROTATION_SCOPE).call("POST", PATH)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "InvalidInput")


@pytest.mark.fact("2.5")
def test_the_new_secret_arrives_on_the_queue_and_the_old_one_holds_a_week(amazon: LocalAmazon, sqs: Any) -> None:
    url = enrolled_queue(amazon, sqs)
    answer = amazon.grantless(ROTATION_SCOPE).call("POST", PATH)
    assert (answer.status_code, answer.content) == (204, b"")
    (document,) = arrived(sqs, url)
    assert document["notificationType"] == "APPLICATION_OAUTH_CLIENT_NEW_SECRET"
    content = document["payload"]["applicationOAuthClientNewSecret"]
    assert content["clientId"] == app_of("NA").client_id
    assert content["oldClientSecretExpiryTime"] < content["newClientSecretExpiryTime"]
    old, new = app_of("NA").client_secret, content["newClientSecret"]
    assert (status_with(amazon, old), status_with(amazon, new)) == (200, 200)
    assert new not in str(amazon.dial("GET", "/sandbox/apps"))
    amazon.advance(7 * DAY_S)
    assert (status_with(amazon, old), status_with(amazon, new)) == (401, 200)
    amazon.advance(150 * DAY_S)
    (warning,) = arrived(sqs, url)
    assert warning["notificationType"] == "APPLICATION_OAUTH_CLIENT_SECRET_EXPIRY"
    amazon.advance(30 * DAY_S)
    assert status_with(amazon, new) == 401
    assert arrived(sqs, url) == [], "warned once"


@pytest.mark.fact("2.5")
def test_rotation_is_allowed_once_a_minute(amazon: LocalAmazon, sqs: Any) -> None:
    enrolled_queue(amazon, sqs)
    amazon.settings(quotas={"enabled": True})
    app = amazon.grantless(ROTATION_SCOPE)
    assert [app.call("POST", PATH).status_code for _ in range(2)] == [204, 429]
    amazon.advance(61)
    assert app.call("POST", PATH).status_code == 204


@pytest.mark.fact("2.5")
def test_a_dial_lets_a_secret_expire_and_the_warning_come(amazon: LocalAmazon, sqs: Any) -> None:
    url = enrolled_queue(amazon, sqs)
    amazon.app_settings(secret_expires_in_s=3600)
    (warning,) = arrived(sqs, url)
    content = warning["payload"]["applicationOAuthClientSecretExpiry"]
    assert set(content) == {"clientId", "clientSecretExpiryTime", "clientSecretExpiryReason"}
    assert status_with(amazon, app_of("NA").client_secret) == 200
    amazon.advance(3600)
    refused = amazon.token(grant_type="client_credentials", scope=ROTATION_SCOPE)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
