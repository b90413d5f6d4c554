"""`runhue.Graph`: nodes and edges, such as the layers of a model."""

from collections.abc import Mapping
from typing import Any

from runhue._errors import BadMedia
from runhue._media.media import Media, Place
from runhue._media.text import json_bytes
from runhue._values import plain

FIELDS = (
    "name",
    "class_name",
    "size",
    "parameters",
    "output_shape",
    "is_output",
    "num_parameters",
)


class Node:
    """One node: `id`, unique within its graph, and what is known of it."""

    def __init__(self, id: str | int, **attributes: Any) -> None:  # noqa: A002  # wandb's name; values are the user's
        unknown = sorted(set(attributes) - set(FIELDS))
        if unknown:
            raise BadMedia(f"Graph: a node has id, {', '.join(FIELDS)}; got {', '.join(unknown)}")
        if not isinstance(id, str | int) or isinstance(id, bool):
            raise BadMedia(f"Graph: a node's id must be a str or an int, got {id!r}")
        self.id = id
        self.attributes: Mapping[str, Any] = {
            name: plain(value, f"Graph node {id}: {name}", lenient=True)
            for name, value in attributes.items()
            if value is not None
        }


class Graph(Media):
    """Nodes and edges between them.

    Args:
        format: how a viewer arranges them; stored as given.
    """

    def __init__(self, format: str = "keras") -> None:  # noqa: A002  # wandb's name
        self.format = format
        self.nodes_by_id: dict[str | int, Node] = {}
        self.edges: list[tuple[Node, Node]] = []

    @property
    def nodes(self) -> list[Node]:
        return list(self.nodes_by_id.values())

    def __getitem__(self, id: str | int) -> Node:  # noqa: A002  # as add_node has it
        return self.nodes_by_id[id]

    def add_node(self, node: Node | None = None, **attributes: Any) -> Node:  # values are the user's
        """Add a node, or make one of `id`, `name`, `class_name`, `size`, `parameters`, `output_shape`,
        `is_output` and `num_parameters`.

        Raises:
            BadMedia: both or neither, another attribute, or an id that is there already.
        """
        if (node is None) != ("id" in attributes) or (node is not None and attributes):
            raise BadMedia("Graph.add_node takes a node, or id and other attributes of a new one")
        added = Node(**attributes) if node is None else node
        if added.id in self.nodes_by_id:
            raise BadMedia(f"Graph.add_node: there is a node {added.id!r} already")
        self.nodes_by_id[added.id] = added
        return added

    def add_edge(self, from_node: Node | str | int, to_node: Node | str | int) -> tuple[Node, Node]:
        """Add an edge between nodes of the graph, given as such or by id.

        Raises:
            BadMedia: a node that is not in the graph.
        """
        edge = (self._node(from_node, "from_node"), self._node(to_node, "to_node"))
        self.edges.append(edge)
        return edge

    def _node(self, given: Node | str | int, argument: str) -> Node:
        id_ = given.id if isinstance(given, Node) else given
        if id_ not in self.nodes_by_id:
            raise BadMedia(f"Graph.add_edge: {argument} must be a node of the graph, got {id_!r}")
        return self.nodes_by_id[id_]

    def stored(self, place: Place) -> dict[str, Any]:
        """`{_type: graph-file, path, sha256, size}`; the file is `{format, nodes, edges: [[from, to]]}`."""
        nodes = [{"name": None, "id": node.id, **node.attributes} for node in self.nodes]
        edges = [[one.id, other.id] for one, other in self.edges]
        content = json_bytes({"format": self.format, "nodes": nodes, "edges": edges})
        return {"_type": "graph-file", **place.add_file(content, "graph", "graph.json")}
