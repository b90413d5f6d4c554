"""Chunks: the points of one series, sorted and compressed, once they have left the tail."""

import zlib
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from runhue_shared.db import Transaction
from runhue_shared.series.chunks import PCODEC_MSGPACK, NotAChunk, decode_chunk
from runhue_shared.series.points import Points
from runhue_shared.series.stats import Extremes


class ChunkCorrupt(RuntimeError):
    """Stored points cannot be trusted; the message names the row and says what to do."""


class ChunksGone(RuntimeError):
    """Chunks were replaced after they were listed: both must be read in one `db.snapshot()`, or under the
    partition's lock."""


class ChunkInfo(NamedTuple):
    """A chunk without its points."""

    id: int
    run_id: int
    metric_id: int
    type: str
    n: int
    step_min: int
    step_max: int
    extremes: Extremes


class NewChunk(NamedTuple):
    """A chunk to store."""

    team_id: int
    run_id: int
    metric_id: int
    type: str
    n: int
    step_min: int
    step_max: int
    extremes: Extremes
    body: bytes


def chunk_infos(
    tx: Transaction, run_ids: Sequence[int], metric_ids: Sequence[int], from_step: int, to_step: int
) -> dict[tuple[int, int], list[ChunkInfo]]:
    """Chunks with a step between `from_step` and `to_step`, by (run, metric), each list by step."""
    rows = tx.execute(
        "SELECT id, run_id, metric_id, type, n, step_min, step_max,"
        " fmin, fmin_step, fmax, fmax_step, nan_count, inf_count FROM series_chunk"
        " WHERE run_id = ANY(%s) AND metric_id = ANY(%s) AND step_max >= %s AND step_min <= %s"
        " ORDER BY run_id, metric_id, step_min, id",
        (list(run_ids), list(metric_ids), from_step, to_step),
    )
    found: dict[tuple[int, int], list[ChunkInfo]] = defaultdict(list)
    for row in rows:
        chunk_id, run_id, metric_id, type_, n, step_min, step_max = row[:7]
        info = ChunkInfo(chunk_id, run_id, metric_id, type_, n, step_min, step_max, Extremes(*row[7:]))
        found[info.run_id, info.metric_id].append(info)
    return found


def read_chunks(tx: Transaction, chunks: Sequence[ChunkInfo]) -> dict[int, Points]:
    """The points of chunks by chunk id.

    Raises:
        ChunkCorrupt: bytes do not match their checksum, or are no chunk.
        ChunksGone: some are not stored any more.
    """
    if not chunks:
        return {}
    rows = tx.cursor(binary=True).execute(
        "SELECT c.id, c.run_id, c.metric_id, c.type, c.codec, c.crc, c.body FROM"
        " unnest(%s::bigint[], %s::int[], %s::text[], %s::bigint[]) AS k (run_id, metric_id, type, id)"
        " JOIN series_chunk c ON c.run_id = k.run_id AND c.metric_id = k.metric_id"
        " AND c.type = k.type AND c.id = k.id",
        (
            [chunk.run_id for chunk in chunks],
            [chunk.metric_id for chunk in chunks],
            [chunk.type for chunk in chunks],
            [chunk.id for chunk in chunks],
        ),
    )
    read = {row[0]: _checked(*row) for row in rows}
    if len(read) < len({chunk.id for chunk in chunks}):
        raise ChunksGone("chunks were replaced while they were read: list and read them in one snapshot")
    return read


def _checked(
    chunk_id: int, run_id: int, metric_id: int, type_: str, codec: int, crc: int, body: bytes
) -> Points:
    place = f"series_chunk {chunk_id} (run {run_id}, metric {metric_id}, type {type_})"
    if zlib.crc32(body) != crc:
        raise ChunkCorrupt(f"{place} does not match its checksum: restore the row from a backup")
    try:
        return decode_chunk(type_, codec, body)
    except NotAChunk as error:
        raise ChunkCorrupt(f"{place} does not decode: {error}") from error


def insert_chunks(tx: Transaction, chunks: Sequence[NewChunk]) -> None:
    """Store chunks with their checksums."""
    with tx.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO series_chunk (team_id, run_id, metric_id, type, n, step_min, step_max,"
            " fmin, fmin_step, fmax, fmax_step, nan_count, inf_count, codec, crc, body)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %b)",
            [
                (*chunk[:7], *chunk.extremes, PCODEC_MSGPACK, zlib.crc32(chunk.body), chunk.body)
                for chunk in chunks
            ],
        )


def delete_chunks(tx: Transaction, chunks: Sequence[ChunkInfo]) -> None:
    """Drop chunks whose points are in others now."""
    if not chunks:
        return
    tx.execute(
        "DELETE FROM series_chunk c USING"
        " unnest(%s::bigint[], %s::int[], %s::text[], %s::bigint[]) AS k (run_id, metric_id, type, id)"
        " WHERE c.run_id = k.run_id AND c.metric_id = k.metric_id AND c.type = k.type AND c.id = k.id",
        (
            [chunk.run_id for chunk in chunks],
            [chunk.metric_id for chunk in chunks],
            [chunk.type for chunk in chunks],
            [chunk.id for chunk in chunks],
        ),
    )
