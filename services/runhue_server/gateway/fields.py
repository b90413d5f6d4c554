"""Who answers which field of the GraphQL schema."""

from collections.abc import Callable
from typing import Any

Resolver = Callable[..., Any]
"""Called as `resolver(source, context, **arguments)`.

`source` is what the parent field gave (None below Query and Mutation), `context` a `gateway.context.Context`;
arguments are named as in the schema: those that it has parameters for are passed. One that did not come is
left out, so each needs a default, and any may be null. It runs in a thread and may use the database. It
returns JSON values; a dict's items answer the fields below it. It raises a `Problem` to refuse.
"""


class Fields:
    """A module's part of the schema: SDL in `schema/<name>.graphql` and the resolvers of its fields.

    A field without a resolver is the item of that name in the dict that its parent gave.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.resolvers: dict[tuple[str, str], Resolver] = {}

    def answers(self, type_name: str, field: str) -> Callable[[Resolver], Resolver]:
        """Have the decorated function answer `type_name.field`."""

        def register(resolver: Resolver) -> Resolver:
            self.resolvers[type_name, field] = resolver
            return resolver

        return register
