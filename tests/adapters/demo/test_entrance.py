"""The way into the demo's panel: two people without a password, on this machine alone, and never in the product."""

import http.client
import re
from collections.abc import Iterator
from http.cookies import SimpleCookie

import pytest

from adapters.panel.access import TABLE
from tests.adapters.demo.terminal import Terminal


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Port of the entrance of a demo."""
    demo = Terminal("--play")
    try:
        demo.until(lambda text: "keys: w warn" in text)
        found = re.search(r"http://127\.0\.0\.1:(\d+)/agent", demo.text)
        assert found is not None
        yield int(found[1])
    finally:
        demo.close()


def get(port: int, path: str, host: str, cookie: str = "") -> http.client.HTTPResponse:
    """Ask for something under a host name."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Host": f"{host}:{port}", "Cookie": cookie})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


@pytest.mark.parametrize(
    ("host", "path", "screen", "others"),
    [("127.0.0.1", "/agent", "/panel/agent", "/panel/duty"), ("localhost", "/desk", "/panel/duty", "/panel/agent")],
)
def test_a_link_logs_in_as_one_of_two_people(port: int, host: str, path: str, screen: str, others: str) -> None:
    """Proves that a link opens a session of the panel's own kind, at its one host name, with that person's rights."""
    answer = get(port, path, host)
    assert answer.status == 303
    there = re.fullmatch(rf"http://{re.escape(host)}:(\d+){screen}", answer.getheader("Location", ""))
    assert there is not None
    (cookie,) = SimpleCookie(answer.getheader("Set-Cookie", "")).values()
    assert (cookie.key, cookie["secure"], cookie["httponly"], cookie["path"]) == ("__Host-bagvagt", True, True, "/")
    sent = f"{cookie.key}={cookie.value}"
    assert get(int(there[1]), screen, host, sent).status == 200
    assert get(int(there[1]), others, host, sent).status == 403


def test_a_link_at_the_other_name_leads_to_its_own(port: int) -> None:
    """Proves that one browser cannot be logged out of one person by becoming the other."""
    answer = get(port, "/desk", "127.0.0.1")
    assert (answer.status, answer.getheader("Location")) == (303, f"http://localhost:{port}/desk")
    assert answer.getheader("Set-Cookie") is None


@pytest.mark.parametrize("path", ["/", "/agent", "/desk", "/stream"])
def test_another_name_for_this_machine_is_refused(port: int, path: str) -> None:
    """Proves that a site whose name leads to 127.0.0.1 gets neither a session nor what is told."""
    answer = get(port, path, "rude.example")
    assert (answer.status, answer.getheader("Set-Cookie")) == (403, None)


def test_prompts_are_the_real_recordings_and_nothing_else(port: int) -> None:
    """Proves that the demo's listeners get the prompt, and no other file."""
    assert get(port, "/prompts/warning.wav", "127.0.0.1").getheader("Content-Type") == "audio/wav"
    assert get(port, "/prompts/..%2Ftexts.wav", "127.0.0.1").status == 404


def test_the_product_has_no_such_way_in(port: int) -> None:
    """Proves that the panel's own table and server know nothing of these links."""
    panel = int(get(port, "/agent", "127.0.0.1").getheader("Location", "").split(":")[2].partition("/")[0])
    assert not {path for _, path in TABLE} & {"/", "/agent", "/desk", "/stream"}
    assert {get(panel, path, "127.0.0.1").status for path in ("/", "/agent", "/desk", "/stream")} == {404}
