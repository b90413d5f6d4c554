"""The page where the client sends people for a key. Nobody signs in yet: an admin key gives another one."""

import base64
import hashlib
import re
import threading
import time
from collections import deque
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import parse_qs

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from runhue_server.gateway.context import base_url_of
from runhue_server.gateway.service import Gateway
from runhue_server.intake.body import BodyReader
from runhue_server.web.problems import Problem, as_problem
from runhue_shared import db
from runhue_shared.db import keys
from runhue_shared.db.keys import Principal

FORM_BYTES = 4096
KEY_NAME = "wandb login"
FAILURES = 20
FAILURES_SECONDS = 60.0
"""One process refuses so many keys in that time. Nobody guesses 160 bits: this saves work."""

PAGE = Template((Path(__file__).parent / "authorize.html").read_text(encoding="utf-8"))
_STYLE = re.search(r"<style>(.*?)</style>", PAGE.template, re.DOTALL)
_STYLE_HASH = base64.b64encode(hashlib.sha256((_STYLE[1] if _STYLE else "").encode()).digest()).decode()

HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

ASK = """<h1>Get an API key</h1>
<p>Paste it where <code>wandb login</code> or your script asks for one.</p>
$problem
<form method="post" autocomplete="off">
<label for="key">Admin key of your team</label>
<input id="key" name="key" type="password" autocomplete="off" spellcheck="false" maxlength="200" required>
<button type="submit">Make a key</button>
</form>
<h2>Where is an admin key?</h2>
<p>Whoever runs this server has one: the file <code>api-key</code> in its data directory
(<code>runhue-data/api-key</code>, unless <code>--data-dir</code> says otherwise). It also works as it is.</p>
<h2>In a terminal</h2>
<pre>runhue keys create laptop --scope ingest --scope read</pre>"""

DONE = """<h1>Your API key</h1>
<p class="good" role="status">It logs and reads for team $team. It is shown once: copy it now.</p>
<pre class="key">$key</pre>
<h2>Use it</h2>
<p>In the terminal that waits for a key, or in the environment of your script:</p>
<pre>export WANDB_BASE_URL=$address
export WANDB_API_KEY=$key</pre>"""

_log = structlog.get_logger(__name__)


class NotAnAdminKey(Problem):
    """Keys are made by those with the scope `admin`."""

    status = 403
    code = "forbidden"


class TooManyFailures(Problem):
    """Too many keys were refused just now."""

    status = 429
    code = "too_many_failures"


class Failures:
    """When keys were refused, as far back as it matters; safe for threads."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=FAILURES)
        self._lock = threading.Lock()

    def note(self) -> None:
        with self._lock:
            self._times.append(time.monotonic())

    def check(self) -> None:
        """Raises TooManyFailures: there were `FAILURES` within `FAILURES_SECONDS`."""
        with self._lock:
            full = len(self._times) == FAILURES
            wait = FAILURES_SECONDS - (time.monotonic() - self._times[0]) if full else 0.0
        if wait > 0:
            raise TooManyFailures(
                "too many keys were refused just now: wait a minute", retry_after=round(wait + 1)
            )


class Authorize:
    """`GET` and `POST /authorize`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._body = BodyReader(gateway.load, FORM_BYTES)
        self._failures = Failures()

    async def show(self, request: Request) -> Response:
        """The form."""
        return self._page(request, Template(ASK).substitute(problem=""))

    async def make(self, request: Request) -> Response:
        """A fresh key that logs and reads, for who has an admin key."""
        try:
            self._failures.check()
            body = await self._body.read(request.receive)
            self._gateway.load.release(len(body.content))
            principal, key = await self._gateway.run(self._made, body.content)
        except Exception as error:  # noqa: BLE001  # told as a page, not as JSON
            problem = as_problem(error)
            told = f'<p class="bad" role="alert">{escape(problem.detail)}</p>'
            content = Template(ASK).substitute(problem=told)
            return self._page(request, content, problem.status, problem.headers())
        _log.info("key_made", team=principal.team_name, by=principal.key_name)
        address = escape(base_url_of(request, self._gateway.settings))
        done = Template(DONE).substitute(team=escape(principal.team_name), key=escape(key), address=address)
        return self._page(request, done)

    def _made(self, form: bytes) -> tuple[Principal, str]:
        given = parse_qs(form.decode(errors="replace")).get("key", [""])[0].strip()
        pepper = keys.pepper(self._gateway.settings)
        with db.transaction() as tx:
            principal = keys.authenticate(tx, given, pepper)
            if principal is None or not principal.may("admin"):
                self._failures.note()
                raise NotAnAdminKey("that is not an admin key of this server")
            key = keys.create(
                tx, principal.team_id, KEY_NAME, ["ingest", "read"], pepper, project_id=principal.project_id
            )
        return principal, key

    def _page(
        self, request: Request, content: str, status: int = 200, more: dict[str, str] | None = None
    ) -> Response:
        address = escape(base_url_of(request, self._gateway.settings))
        page = PAGE.substitute(content=content, address=address)
        return HTMLResponse(page, status, {**HEADERS, **(more or {})})


def routes(gateway: Gateway) -> list[BaseRoute]:
    """`/authorize`, where `wandb login` sends a person for a key."""
    page = Authorize(gateway)
    return [
        Route("/authorize", page.show, methods=["GET"]),
        Route("/authorize", page.make, methods=["POST"]),
    ]
