"""Redaction at the sink, whatever is passed."""

import io
import json
import sys

import pytest
import structlog

from common import telemetry

PLANTED = ("Atza|planted-access", "Atzr|planted-refresh", "ent_" + "p" * 43, "eyJhbGciOiJFZERTQSJ9.eyJzdWIi.sig-nature")


@pytest.mark.edge(23)
def test_secrets_are_redacted_by_name_and_by_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = io.StringIO()
    monkeypatch.setattr(sys, "stdout", sink)
    structlog.reset_defaults()
    telemetry.configure("test")
    try:
        log = structlog.get_logger("planted")
        log.info(
            "by_looks",
            note=f"a {PLANTED[0]} b",
            nested={"deep": [PLANTED[1], PLANTED[2]]},
            header=f"Bearer {PLANTED[3]}",
        )
        log.info(
            "by_name", refresh_token="plain", client_secret="plain", buyer_name="Jane Planted", phone="+1 555 planted"
        )
        log.info("oauth", code="plain", spapi_oauth_code="plain", auth_code="plain", url="/cb?state=s&code=plain&x=1")
        log.warning(
            "amazon", error_code="access_denied", amazon_code="Unauthorized", amazon_request_id="r-1", status_code=403
        )
        try:
            raise ValueError(f"with {PLANTED[0]}")
        except ValueError:
            log.exception("with_traceback")
    finally:
        structlog.reset_defaults()
    text = sink.getvalue()
    assert [secret for secret in (*PLANTED, "plain", "Jane", "555 planted") if secret in text] == []
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["event"] for line in lines] == ["by_looks", "by_name", "oauth", "amazon", "with_traceback"]
    assert lines[2]["url"] == f"/cb?state=s&code={telemetry.REDACTED}&x=1"
    told = {name: lines[3][name] for name in ("error_code", "amazon_code", "amazon_request_id", "status_code")}
    assert told == {
        "error_code": "access_denied",
        "amazon_code": "Unauthorized",
        "amazon_request_id": "r-1",
        "status_code": 403,
    }
    assert all(line["service"] == "test" for line in lines)


def test_a_correlation_id_is_continued_only_when_well_formed() -> None:
    assert telemetry.correlate("abc-1") == "abc-1"
    assert telemetry.correlate("x\ny") != "x\ny"
    assert len(telemetry.correlate(None)) == 32
