"""The page where the client sends people for a key."""

import re

import httpx

from runhue_server.gateway.pages import FAILURES
from runhue_shared import db
from runhue_shared.db import keys
from tests.integration.gateway.conftest import Client, key_of

KEY = re.compile(r'<pre class="key">([0-9a-f]{40})</pre>')


def submitted(url: str, key: str) -> httpx.Response:
    return httpx.post(f"{url}/authorize", data={"key": key}, timeout=30)


def test_page_says_how_to_get_a_key(url: str) -> None:
    """Without a key in hand one learns where it is, on a page that runs and loads nothing."""
    page = httpx.get(f"{url}/authorize?ref=models")

    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert "api-key" in page.text
    assert "runhue keys create" in page.text
    assert "<script" not in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["Cache-Control"] == "no-store"


def test_an_admin_key_makes_one_that_logs_and_reads(url: str) -> None:
    """The fresh key is shown once; it is the team's, works at once, and makes no further keys."""
    admin = key_of("main", "admin")

    page = submitted(url, admin)

    assert page.status_code == 200
    (key,) = KEY.findall(page.text)
    assert admin not in page.text
    with Client(url, key).http as http:
        viewer = http.post("/graphql", json={"query": "{ viewer { entity admin } }"}).json()
    assert viewer == {"data": {"viewer": {"entity": "main", "admin": False}}}
    with db.transaction() as tx:
        row = keys.keys_of_team(tx, keys.team_id(tx, "main"))[0]
    assert (row.name, sorted(row.scopes)) == ("wandb login", ["ingest", "read"])
    assert submitted(url, key).status_code == 403


def test_key_of_a_project_makes_keys_of_that_project(url: str) -> None:
    """What a key may not reach, keys made with it do not either."""
    with db.transaction() as tx:
        team = keys.team_id(tx, "main")
        row = tx.execute("INSERT INTO project (team_id, name) VALUES (%s, 'digits') RETURNING id", (team,))
        project = row.fetchall()[0][0]

    submitted(url, key_of("main", "admin", project_id=project))

    with db.transaction() as tx:
        assert keys.keys_of_team(tx, team)[0].project == "digits"


def test_a_wrong_key_is_refused_on_the_page(url: str) -> None:
    """Whatever is entered, the form comes back with a word on it and without what was entered."""
    reader = key_of("main", "read")
    for entered in (
        "",
        "0" * 40,
        reader,
        "<b>key</b>",
        "nul\0",
        "\udcff".encode("utf-8", "surrogatepass").hex(),
    ):
        page = submitted(url, entered)
        assert page.status_code == 403
        assert "not an admin key" in page.text
        assert not entered or entered not in page.text


def test_a_form_that_is_too_large_is_refused(url: str) -> None:
    """The form is bounded, like every body."""
    assert submitted(url, "x" * 5000).status_code == 413


def test_refusals_are_slowed_down(url: str) -> None:
    """After many wrong keys even a right one waits a minute."""
    for _ in range(FAILURES):
        submitted(url, "0" * 40)

    page = submitted(url, key_of("main", "admin"))

    assert page.status_code == 429
    assert int(page.headers["Retry-After"]) > 0
    assert not KEY.findall(page.text)
