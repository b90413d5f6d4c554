"""What a request to the gateway comes with."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from runhue_server.gateway.submit import Submitter
from runhue_server.web.problems import NotFound
from runhue_shared import db
from runhue_shared.db import keys
from runhue_shared.db.keys import Principal
from runhue_shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Context:
    """One request. `base_url`: the address under which the client reached this server, without a slash at its end.

    `headers`: names in lower case. `principal`: the key's own team.
    """

    principal: Principal
    headers: Mapping[str, str]
    base_url: str
    settings: Settings
    submitter: Submitter

    @property
    def client_id(self) -> str:
        """The client's id in shared mode, '' otherwise."""
        return self.headers.get("x-wandb-async-client-id") or self.headers.get("x-wandb-client-id") or ""

    def in_team(self, entity: str | None) -> Principal:
        """The key's holder as a member of team `entity`; None or '' is the key's own team.

        Raises:
            NotFound: there is no such team, or the key does not reach it.
        """
        if entity in (None, "", self.principal.team_name):
            return self.principal
        with db.transaction() as tx:
            team = keys.team_reached(tx, self.principal.key_id, str(entity))
        if team is None:
            raise NotFound(
                f"entity {entity!r} is not there, or the API key does not reach it",
                field="entity",
                fix=f"log to entity {self.principal.team_name!r}, or use a key of that team",
            )
        return replace(self.principal, team_id=team.id, team_name=team.name)
