"""Presigned URLs: upload and download without a token, for five minutes, as S3 serves them."""

import gzip
from urllib.parse import urlsplit

import httpx
import pytest

from amazon_sandbox.testing import LocalAmazon, SellingPartner

US = "ATVPDKIKX0DER"
JSON = "application/json; charset=UTF-8"


def created(seller: SellingPartner, content_type: str = JSON) -> dict[str, str]:
    document: dict[str, str] = seller.feeds("POST", "documents", {"contentType": content_type}).json()
    return document


def put(seller: SellingPartner, url: str, content_type: str = JSON, content: bytes = b"{}") -> httpx.Response:
    return seller.amazon.http.put(url, content=content, headers={"content-type": content_type})


def finished_feed(seller: SellingPartner) -> str:
    """The document id of a processing report."""
    feed_id = seller.submit_feed("JSON_LISTINGS_FEED", b"{}", US)
    document_id: str = seller.feed(feed_id)["resultFeedDocumentId"]
    return document_id


def test_the_url_lies_on_this_server_outside_sp_api_and_asks_for_no_token(seller: SellingPartner) -> None:
    url = created(seller)["url"]
    assert url.startswith(seller.amazon.urls["na"] + "/documents/")
    assert {"X-Amz-Expires=300", "X-Amz-SignedHeaders=content-type%3Bhost"} <= set(urlsplit(url).query.split("&"))
    assert put(seller, url).status_code == 200


def test_the_url_is_on_the_host_the_caller_knows(seller: SellingPartner) -> None:
    port = urlsplit(seller.amazon.urls["na"]).port
    path = seller.amazon.urls["na"] + "/feeds/2021-06-30/documents"
    for told, shown in (
        ("amazon.local:8080", "amazon.local:8080"),
        (f"27.0.0.1:{port}", f"127.0.0.1:{port}"),  # a client that takes every endpoint for https cuts one letter
        (f"ocalhost:{port}", f"127.0.0.1:{port}"),
    ):
        headers = {"x-amz-access-token": seller.access_token, "host": told}
        url = seller.amazon.http.post(path, json={"contentType": JSON}, headers=headers).json()["url"]
        assert urlsplit(url).netloc == shown


def test_an_upload_needs_the_content_type_the_document_was_created_with(seller: SellingPartner) -> None:
    url = created(seller)["url"]
    refused = put(seller, url, "application/json")
    assert refused.status_code == 403
    assert "<Code>SignatureDoesNotMatch</Code>" in refused.text
    assert refused.headers["content-type"] == "application/xml"
    assert put(seller, url, JSON).status_code == 200


def test_an_upload_url_lives_five_minutes(amazon: LocalAmazon, seller: SellingPartner) -> None:
    url = created(seller)["url"]
    amazon.advance(240)
    assert put(seller, url).status_code == 200
    amazon.advance(61)
    late = put(seller, url)
    assert late.status_code == 403
    assert "<Code>AccessDenied</Code><Message>Request has expired" in late.text


def test_a_download_url_lives_five_minutes_and_a_new_one_is_there_for_the_asking(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    document_id = finished_feed(seller)
    document = seller.feeds("GET", f"documents/{document_id}").json()
    amazon.advance(301)
    assert amazon.http.get(document["url"]).status_code == 403
    assert b'"feedId"' in seller.download(seller.feeds("GET", f"documents/{document_id}").json())


@pytest.mark.parametrize("change", ["X-Amz-Date=1", "X-Amz-Signature=00", "response-content-encoding=gzip", ""])
def test_a_url_that_was_tampered_with_is_refused(seller: SellingPartner, change: str) -> None:
    url = seller.feeds("GET", f"documents/{finished_feed(seller)}").json()["url"]
    base, _, query = url.partition("?")
    name = change.partition("=")[0]
    kept = [part for part in query.split("&") if not part.startswith(f"{name}=")] if change else []
    tampered = f"{base}?{'&'.join([*kept, change])}"
    assert seller.amazon.http.get(tampered).status_code == 403


def test_an_upload_url_is_not_for_downloads_and_no_url_is_for_anything_else(seller: SellingPartner) -> None:
    url = created(seller)["url"]
    assert seller.amazon.http.get(url).status_code == 403
    assert seller.amazon.http.post(url).status_code == 405
    assert seller.amazon.http.put(seller.amazon.urls["na"] + "/documents/nothing").status_code == 403


@pytest.mark.fact("6.1")
def test_the_content_encoding_header_lets_http_clients_unzip_by_themselves(seller: SellingPartner) -> None:
    document_id = finished_feed(seller)
    plain = seller.feeds("GET", f"documents/{document_id}").json()
    assert plain["compressionAlgorithm"] == "GZIP"
    as_stored = seller.amazon.http.get(plain["url"])
    assert "content-encoding" not in as_stored.headers
    wished = seller.feeds("GET", f"documents/{document_id}", enableContentEncodingUrlHeader="true").json()
    assert wished["compressionAlgorithm"] == "GZIP"
    unzipped = seller.amazon.http.get(wished["url"])
    assert unzipped.headers["content-encoding"] == "gzip"
    assert unzipped.content == gzip.decompress(as_stored.content)  # httpx has unzipped it: twice would be wrong
    refused = seller.feeds("GET", f"documents/{document_id}", enableContentEncodingUrlHeader="perhaps")
    assert refused.status_code == 400


@pytest.mark.fact("6.1")
def test_results_are_plain_when_a_dial_says_so(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.settings(gzip_documents=False)
    document_id = finished_feed(seller)
    document = seller.feeds("GET", f"documents/{document_id}", enableContentEncodingUrlHeader="true").json()
    assert set(document) == {"feedDocumentId", "url"}
    answer = amazon.http.get(document["url"])
    assert "content-encoding" not in answer.headers
    assert answer.json()["header"]["version"] == "2.0"


@pytest.mark.fact("6.4")
def test_feed_documents_live_28_days_and_feeds_90(amazon: LocalAmazon, seller: SellingPartner) -> None:
    feed_id = seller.submit_feed("JSON_LISTINGS_FEED", b"{}", US)
    document_id = seller.feed(feed_id)["resultFeedDocumentId"]
    amazon.advance(28 * 86_400 - 60)
    later = amazon.connect("A1US", "NA")
    assert later.feeds("GET", f"documents/{document_id}").status_code == 200
    amazon.advance(120)
    assert later.feeds("GET", f"documents/{document_id}").status_code == 404
    assert later.feed(feed_id)["processingStatus"] == "FATAL"
    amazon.advance(62 * 86_400)
    last = amazon.connect("A1US", "NA")
    assert last.feeds("GET", f"feeds/{feed_id}").status_code == 404
    assert last.feeds("GET", feedTypes="JSON_LISTINGS_FEED").json() == {"feeds": []}


def test_the_document_of_another_seller_is_not_there(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.create_seller("A3US", "NA", US)
    other = amazon.connect("A3US", "NA")
    assert other.feeds("GET", f"documents/{finished_feed(seller)}").status_code == 404
    specification = {
        "feedType": "JSON_LISTINGS_FEED",
        "marketplaceIds": [US],
        "inputFeedDocumentId": seller.upload(b"{}"),
    }
    assert other.feeds("POST", body=specification).status_code == 400
    assert seller.feeds("POST", body=specification).status_code == 202


@pytest.mark.fault("F11")
def test_uploads_and_downloads_can_fail_on_demand(amazon: LocalAmazon, seller: SellingPartner) -> None:
    document_id = finished_feed(seller)
    url = seller.feeds("GET", f"documents/{document_id}").json()["url"]
    amazon.dial("POST", "/sandbox/faults", {"operation": "downloadDocument", "kind": "truncated"})
    with pytest.raises(httpx.TransportError):
        amazon.http.get(url)
    assert amazon.http.get(url).status_code == 200
    upload = created(seller)
    fault = {"operation": "uploadDocument", "kind": "lost_effect", "selling_partner_id": "A1US"}
    amazon.dial("POST", "/sandbox/faults", fault)
    assert put(seller, upload["url"]).status_code == 200
    wish = {
        "feedType": "JSON_LISTINGS_FEED",
        "marketplaceIds": [US],
        "inputFeedDocumentId": upload["feedDocumentId"],
    }
    assert "Nothing was uploaded" in seller.feeds("POST", body=wish).json()["errors"][0]["message"]


def test_the_books_show_documents_without_their_content(amazon: LocalAmazon, seller: SellingPartner) -> None:
    seller.submit_feed("JSON_LISTINGS_FEED", b'{"secret": 1}', US)
    amazon.dial("GET", "/sandbox/clock")
    books = amazon.dial("GET", "/sandbox/books/documents", selling_partner_id="A1US")["documents"]
    assert [(one["submitted"], one["uploads"], one["gzipped"]) for one in books] == [(True, 1, False), (False, 0, True)]
    assert "secret" not in str(books)
