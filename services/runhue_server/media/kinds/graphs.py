"""Looks at graphs of models, as `wandb.Graph` stores them."""

from typing import Any

from runhue_server.media.contract import Facts, Refused, Source, Workshop
from runhue_server.media.kinds.json_files import as_list, as_object, named, read_json


def inspect_graph(source: Source, _workshop: Workshop) -> Facts:
    """How many nodes and edges a graph has.

    The file is `{"format", "nodes": [{"id", ...}], "edges": [[from, to], ...]}`.

    Raises:
        Refused: as `read_json`, or `wrong_shape`, with the place.
    """
    graph = as_object(read_json(source), "A graph")
    nodes = as_list(graph.get("nodes"), "A graph's nodes")
    edges = as_list(graph.get("edges"), "A graph's edges")
    for at, node in enumerate(nodes):
        as_object(node, f"Node {at:,} of the graph")
    for at, edge in enumerate(edges):
        _check_edge(edge, at)
    return {"nodes": len(nodes), "edges": len(edges)}


def _check_edge(edge: Any, at: int) -> None:  # whatever JSON says
    if not isinstance(edge, list) or len(edge) != 2:
        raise Refused("wrong_shape", f"Edge {at:,} must be a list of two ids of nodes, found {named(edge)}.")
