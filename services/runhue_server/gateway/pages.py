"""Pages that the client sends people to."""

from starlette.routing import BaseRoute

from runhue_server.gateway.service import Gateway


def routes(gateway: Gateway) -> list[BaseRoute]:
    """`/authorize`, where `wandb login` sends a person for a key."""
    return []
