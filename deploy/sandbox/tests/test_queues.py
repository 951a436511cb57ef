"""The queues, through AWS's own client and through the older query protocol."""

import hashlib
import json
import threading
import time
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from amazon_sandbox.testing import LocalAmazon


def receive(sqs: Any, url: str, **options: Any) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **options).get(
        "Messages", []
    )
    return messages


@pytest.mark.fact("9.2")
def test_a_queue_is_made_found_changed_and_deleted(amazon: LocalAmazon, sqs: Any) -> None:
    attributes = {"VisibilityTimeout": "60", "Policy": json.dumps({"Statement": []})}
    url = sqs.create_queue(QueueName="orders", Attributes=attributes)["QueueUrl"]
    assert sqs.create_queue(QueueName="orders", Attributes=attributes)["QueueUrl"] == url
    with pytest.raises(sqs.exceptions.QueueNameExists):
        sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "61"})
    assert sqs.get_queue_url(QueueName="orders")["QueueUrl"] == url
    assert sqs.list_queues()["QueueUrls"] == [url]
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="other")
    shown = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert shown["QueueArn"] == "arn:aws:sqs:us-east-1:000000000000:orders"
    assert (shown["VisibilityTimeout"], shown["MessageRetentionPeriod"]) == ("60", "345600")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": "", "VisibilityTimeout": "5"})
    shown = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy", "VisibilityTimeout"])["Attributes"]
    assert shown == {"VisibilityTimeout": "5"}
    sqs.delete_queue(QueueUrl=url)
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.receive_message(QueueUrl=url)


def test_a_received_message_is_in_flight_until_it_is_deleted_or_its_time_is_over(amazon: LocalAmazon, sqs: Any) -> None:
    url = sqs.create_queue(QueueName="flight")["QueueUrl"]
    sent = sqs.send_message(QueueUrl=url, MessageBody="hello")
    assert sent["MD5OfMessageBody"] == hashlib.md5(b"hello").hexdigest()
    (first,) = receive(sqs, url, AttributeNames=["All"])
    assert (first["Body"], first["MessageId"]) == ("hello", sent["MessageId"])
    assert first["Attributes"]["ApproximateReceiveCount"] == "1"
    assert receive(sqs, url) == []
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (counts["ApproximateNumberOfMessages"], counts["ApproximateNumberOfMessagesNotVisible"]) == ("0", "1")
    amazon.advance(31)
    (second,) = receive(sqs, url, AttributeNames=["ApproximateReceiveCount"])
    assert second["Attributes"] == {"ApproximateReceiveCount": "2"}
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=0)
    (third,) = receive(sqs, url)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    with pytest.raises(ClientError, match="MessageNotInflight"):
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=0)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=third["ReceiptHandle"])
    sqs.delete_message(QueueUrl=url, ReceiptHandle=third["ReceiptHandle"])
    amazon.advance(3600)
    assert receive(sqs, url) == []


def test_batches_succeed_and_fail_entry_by_entry(amazon: LocalAmazon, sqs: Any) -> None:
    url = sqs.create_queue(QueueName="batches")["QueueUrl"]
    entries = [{"Id": str(number), "MessageBody": f"m{number}"} for number in range(3)]
    assert len(sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]) == 3
    messages = receive(sqs, url)
    handles = [{"Id": one["MessageId"], "ReceiptHandle": one["ReceiptHandle"]} for one in messages]
    late = [{**one, "VisibilityTimeout": 600} for one in handles]
    assert len(sqs.change_message_visibility_batch(QueueUrl=url, Entries=late)["Successful"]) == 3
    answer = sqs.delete_message_batch(QueueUrl=url, Entries=[*handles, {"Id": "x", "ReceiptHandle": "nonsense"}])
    assert (len(answer["Successful"]), [one["Code"] for one in answer["Failed"]]) == (3, ["ReceiptHandleIsInvalid"])
    for wrong in ([], entries * 4, [entries[0], entries[0]]):
        with pytest.raises(ClientError):
            sqs.send_message_batch(QueueUrl=url, Entries=wrong)


def test_a_long_poll_ends_with_the_first_message_and_an_empty_one_with_its_time(amazon: LocalAmazon, sqs: Any) -> None:
    url = sqs.create_queue(QueueName="waiting")["QueueUrl"]
    received: list[dict[str, Any]] = []
    waiting = threading.Thread(target=lambda: received.extend(receive(sqs, url, WaitTimeSeconds=20)))
    waiting.start()
    sqs.send_message(QueueUrl=url, MessageBody="late", DelaySeconds=300)
    amazon.advance(301)
    waiting.join(timeout=10)
    assert [one["Body"] for one in received] == ["late"]
    begun = time.monotonic()
    assert receive(sqs, url, WaitTimeSeconds=1) == []
    assert time.monotonic() - begun >= 1


def test_what_is_received_too_often_goes_to_the_dead_letter_queue(amazon: LocalAmazon, sqs: Any) -> None:
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    url = sqs.create_queue(QueueName="alive", Attributes={"RedrivePolicy": redrive})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="poison")
    assert [len(receive(sqs, url, VisibilityTimeout=0)) for _ in range(3)] == [1, 1, 0]
    assert [one["Body"] for one in receive(sqs, dead)] == ["poison"]
    sqs.purge_queue(QueueUrl=dead)
    amazon.advance(60)
    assert receive(sqs, dead) == []


def test_messages_are_kept_for_the_retention_period(amazon: LocalAmazon, sqs: Any) -> None:
    url = sqs.create_queue(QueueName="short", Attributes={"MessageRetentionPeriod": "60"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="gone")
    amazon.advance(61)
    assert receive(sqs, url) == []


@pytest.mark.parametrize(
    "attributes",
    [
        {"VisibilityTimeout": "-1"},
        {"VisibilityTimeout": "99999"},
        {"Policy": "not json"},
        {"RedrivePolicy": "{}"},
        {"RedrivePolicy": '{"maxReceiveCount": 1e400, "deadLetterTargetArn": "x"}'},
        {"Colour": "red"},
        {"FifoQueue": "true"},
    ],
)
def test_wrong_attributes_are_refused(amazon: LocalAmazon, sqs: Any, attributes: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="Invalid"):
        sqs.create_queue(QueueName="wrong", Attributes=attributes)


def test_regions_are_separate_and_the_signature_names_one(amazon: LocalAmazon, sqs: Any) -> None:
    headers = {"authorization": "AWS4-HMAC-SHA256 Credential=AK/20260101/eu-west-1/sqs/aws4_request, Signature=x"}
    headers |= {"x-amz-target": "AmazonSQS.CreateQueue", "content-type": "application/x-amz-json-1.0"}
    made = amazon.http.post(amazon.urls["lwa"] + "/", headers=headers, content=b'{"QueueName": "europe"}')
    assert made.status_code == 200
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName="europe")


def query(amazon: LocalAmazon, url: str | None = None, **form: str) -> httpx.Response:
    return amazon.http.post(url or amazon.urls["lwa"] + "/", data=form)


def test_the_older_query_protocol_refuses_an_attribute_whose_name_is_no_text(amazon: LocalAmazon) -> None:
    refused = query(amazon, Action="CreateQueue", QueueName="odd", **{"Attribute.1.Name.x": "1"})
    assert refused.status_code == 400
    assert "<Code>MalformedQueryString</Code>" in refused.text


def test_the_older_query_protocol_works_as_well(amazon: LocalAmazon, sqs: Any) -> None:
    attribute = {"Attribute.1.Name": "VisibilityTimeout", "Attribute.1.Value": "0"}
    made = query(amazon, Action="CreateQueue", QueueName="older", **attribute)
    assert made.headers["content-type"] == "text/xml"
    url = sqs.get_queue_url(QueueName="older")["QueueUrl"]
    assert f"<QueueUrl>{url}</QueueUrl>" in made.text
    assert "<MD5OfMessageBody>" in query(amazon, url, Action="SendMessage", MessageBody="<a> & b").text
    shown = query(amazon, url, Action="ReceiveMessage", **{"AttributeName.1": "All"}).text
    assert "<Body>&lt;a&gt; &amp; b</Body>" in shown
    assert "<Name>ApproximateReceiveCount</Name><Value>1</Value>" in shown
    handle = shown.partition("<ReceiptHandle>")[2].partition("</ReceiptHandle>")[0]
    entry = {"DeleteMessageBatchRequestEntry.1.Id": "1", "DeleteMessageBatchRequestEntry.1.ReceiptHandle": handle}
    deleted = query(amazon, url, Action="DeleteMessageBatch", **entry).text
    assert "<DeleteMessageBatchResultEntry><Id>1</Id></DeleteMessageBatchResultEntry>" in deleted
    assert "<Message>" not in query(amazon, url, Action="ReceiveMessage").text
    names = {"AttributeName.1": "QueueArn"}
    assert "<Name>QueueArn</Name>" in query(amazon, url, Action="GetQueueAttributes", **names).text
    refused = query(amazon, Action="GetQueueUrl", QueueName="nobody")
    assert (refused.status_code, "AWS.SimpleQueueService.NonExistentQueue" in refused.text) == (400, True)


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("AmazonSQS.Dance", b"{}"),
        ("AmazonSQS.CreateQueue", b"["),
        ("AmazonSQS.CreateQueue", b"[]"),
        ("AmazonSQS.CreateQueue", b'{"QueueName": 1}'),
        ("AmazonSQS.CreateQueue", b'{"QueueName": "a b"}'),
        ("AmazonSQS.CreateQueue", b'{"QueueName": "a", "Attributes": []}'),
        ("AmazonSQS.CreateQueue", b'{"QueueName": "a", "Attributes": {"Policy": 1}}'),
        ("AmazonSQS.ReceiveMessage", b"{}"),
        ("AmazonSQS.ReceiveMessage", b'{"QueueUrl": {}}'),
        ("AmazonSQS.SendMessageBatch", b'{"QueueUrl": "http://x/000000000000/q", "Entries": [1]}'),
        ("", b"Action=CreateQueue&QueueName=a&Attribute.1=x&Attribute.1.Name=y"),
        ("AmazonSQS.GetQueueAttributes", b'{"QueueUrl": "http://x/000000000000/fine", "AttributeNames": -1}'),
        ("", b"\xff"),
        ("", b""),
    ],
)
def test_rubbish_is_refused_and_breaks_nothing(amazon: LocalAmazon, sqs: Any, target: str, body: bytes) -> None:
    sqs.create_queue(QueueName="fine")
    headers = {"x-amz-target": target} if target else {}
    answer = amazon.http.post(amazon.urls["lwa"] + "/", headers=headers, content=body)
    assert answer.status_code == 400
    assert sqs.create_queue(QueueName="fine")["QueueUrl"]
