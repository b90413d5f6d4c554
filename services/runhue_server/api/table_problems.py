"""Why a table, or a page of it, is not given."""

from runhue_server.web.problems import RETRY_SECONDS, Invalid, NotFound, Problem


class TableNotFound(NotFound):
    """The run has no table there."""

    code = "table_not_found"


class TableAwaited(NotFound):
    """The table was logged, and its bytes have not come yet."""

    code = "table_awaited"

    def __init__(self) -> None:
        super().__init__(
            "the bytes of this table have not come yet",
            fix="ask again when the run has sent its files; `runhue sync` sends those of a run that ended",
        )


class TableExpired(Problem):
    """The table was kept as long as its project keeps media."""

    status = 410
    code = "table_expired"

    def __init__(self) -> None:
        super().__init__(
            "the bytes of this table are gone: its project keeps media for some days after a run's end",
            fix="keep media longer with PATCH .../settings, or log the table again",
        )


class TableNotReady(Problem):
    """The media worker has not looked at the table yet."""

    status = 503
    code = "table_not_ready"

    def __init__(self) -> None:
        super().__init__(
            "the table was stored and nobody looked at it yet",
            fix="send the same request again",
            retry_after=RETRY_SECONDS,
        )


class TableRefused(Invalid):
    """The file is none that can be shown. `code` and `detail` are those of its inspection."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason, fix="download the file, or log the table in another form")
        self.code = code


class ColumnUnknown(Invalid):
    """The table has no column of that name."""

    code = "column_not_found"
