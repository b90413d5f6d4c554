"""The pyramid's rows: blocks of buckets by series, level and block number."""

import zlib
from collections.abc import Collection, Sequence
from typing import NamedTuple

from runhue_shared.db import Transaction
from runhue_shared.db.chunks import ChunkCorrupt
from runhue_shared.series.pyramid import Buckets, NotABlock, decode_block


class BlockKey(NamedTuple):
    run_id: int
    metric_id: int
    level: int
    block: int


class NewBlock(NamedTuple):
    """A block to store."""

    team_id: int
    key: BlockKey
    codec: int
    body: bytes


def read_blocks(tx: Transaction, keys: Collection[BlockKey]) -> dict[BlockKey, Buckets]:
    """The blocks of these that are stored.

    Raises:
        ChunkCorrupt: bytes do not match their checksum, or are no block.
    """
    if not keys:
        return {}
    runs, metrics, levels, blocks = zip(*keys, strict=True)
    rows = tx.cursor(binary=True).execute(
        "SELECT l.run_id, l.metric_id, l.level, l.block, l.codec, l.crc, l.body FROM"
        " unnest(%s::bigint[], %s::int[], %s::smallint[], %s::bigint[])"
        " AS k (run_id, metric_id, level, block)"
        " JOIN series_lod l ON l.run_id = k.run_id AND l.metric_id = k.metric_id"
        " AND l.level = k.level AND l.block = k.block",
        (list(runs), list(metrics), list(levels), list(blocks)),
    )
    return {BlockKey(*row[:4]): _checked(BlockKey(*row[:4]), *row[4:]) for row in rows}


def read_level(
    tx: Transaction, run_ids: Sequence[int], metric_ids: Sequence[int], level: int, first: int, last: int
) -> dict[BlockKey, Buckets]:
    """Blocks `first` to `last` of one level of many runs.

    Raises:
        ChunkCorrupt: bytes do not match their checksum, or are no block.
    """
    rows = tx.cursor(binary=True).execute(
        "SELECT run_id, metric_id, level, block, codec, crc, body FROM series_lod"
        " WHERE run_id = ANY(%s) AND metric_id = ANY(%s) AND level = %s AND block BETWEEN %s AND %s",
        (list(run_ids), list(metric_ids), level, first, last),
    )
    return {BlockKey(*row[:4]): _checked(BlockKey(*row[:4]), *row[4:]) for row in rows}


def _checked(key: BlockKey, codec: int, crc: int, body: bytes) -> Buckets:
    place = f"series_lod of run {key.run_id}, metric {key.metric_id}, level {key.level}, block {key.block}"
    if zlib.crc32(body) != crc:
        raise ChunkCorrupt(f"{place} does not match its checksum: restore the row from a backup")
    try:
        return decode_block(key.level, key.block, codec, body)
    except NotABlock as error:
        raise ChunkCorrupt(f"{place} does not decode: {error}") from error


def put_blocks(tx: Transaction, blocks: Sequence[NewBlock]) -> None:
    """Store blocks with their checksums, in the place of what was there."""
    with tx.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO series_lod (team_id, run_id, metric_id, level, block, codec, crc, body)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %b) ON CONFLICT (run_id, metric_id, level, block)"
            " DO UPDATE SET codec = excluded.codec, crc = excluded.crc, body = excluded.body",
            [
                (block.team_id, *block.key, block.codec, zlib.crc32(block.body), block.body)
                for block in blocks
            ],
        )


def delete_blocks(tx: Transaction, keys: Sequence[BlockKey]) -> None:
    """Drop blocks that are not worth storing any more."""
    with tx.cursor() as cursor:
        cursor.executemany(
            "DELETE FROM series_lod WHERE run_id = %s AND metric_id = %s AND level = %s AND block = %s", keys
        )
