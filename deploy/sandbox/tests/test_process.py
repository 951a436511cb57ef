"""The program itself: its ready line, its environment, its end."""

import json
import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from amazon_sandbox.testing import local_amazon


@pytest.mark.row("E4")
def test_it_says_where_it_is_ready_and_ends_cleanly_on_sigterm() -> None:
    command = [sys.executable, "-m", "amazon_sandbox"]
    environment = {
        **os.environ,
        "AMAZON_SANDBOX_AUTO_CONSENT": "1",
        "AMAZON_SANDBOX_REDIRECT_URI": "http://a/ http://b/",
    }
    environment |= {f"AMAZON_SANDBOX_{name}PORT": "0" for name in ("", "NA_", "EU_", "FE_")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        urls = json.loads(process.stdout.readline())
        assert set(urls) == {"ready", "lwa", "consent", "dials", "na", "eu", "fe"}
        settings = httpx.get(urls["dials"] + "/sandbox/settings").json()
        assert (settings["auto_consent"], settings["redirect_uris"]) == (True, ["http://a/", "http://b/"])
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        assert process.stdout.read() == ""
        assert process.stderr.read() == ""


def test_dials_answer_on_every_port() -> None:
    with local_amazon("--no-quotas") as urls:
        for name in ("dials", "na", "eu", "fe"):
            assert httpx.get(urls[name] + "/sandbox/settings").json()["quotas"]["enabled"] is False


def test_a_redirect_uri_that_is_none_is_said_so() -> None:
    command = [sys.executable, "-m", "amazon_sandbox", "--redirect-uri", "http://[bad"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode != 0
    assert "URIs" in ended.stderr


def test_a_port_that_is_taken_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "amazon_sandbox", "--port", port]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode != 0
    assert "Address already in use" in ended.stderr
