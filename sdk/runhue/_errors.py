"""Everything the SDK raises on purpose.

RunhueError
├── UsageError          the call cannot mean anything: says which argument, and what would
│   ├── NoRun           a module-level function without a current run
│   ├── RunFinished     a call on a run that is finished
│   ├── BadKey          a metric or config key that cannot be stored (also ValueError)
│   ├── BadValue        a value that cannot be stored (also TypeError)
│   │   └── BadMedia    an image, table, ... of the wrong shape or over a limit (also ValueError)
│   ├── BadPath         a file that cannot be saved or downloaded under its path (also ValueError)
│   ├── FileIsThere     a download would replace a file (also FileExistsError)
│   ├── LibraryMissing  what was asked for needs an optional library (also ImportError)
│   ├── StepWentBack    only under `Settings(strict_steps=True)` (also ValueError)
│   └── ConfigChanged   a config key got another value without `allow_val_change` (also ValueError)
└── ServerError         the server said no, or nothing
    ├── AuthError       no key, or one the server does not take
    ├── ServerRefused   this request will never be taken: carries code, field, limit, fix
    ├── ServerBusy      try again after `retry_after` seconds
    └── ServerUnreachable
"""

# What to do from here, where the server's own advice is for programs that speak HTTP.
FIXES = {
    "unauthenticated": "run `runhue login`, or set RUNHUE_API_KEY",
    "project_not_found": "`runhue projects` lists them",
    "run_not_found": "`runhue runs PROJECT` lists them",
}


class RunhueError(Exception):
    """Base of all errors raised by runhue."""


class UsageError(RunhueError):
    """A call that cannot be carried out as it stands."""


class NoRun(UsageError):
    """No run is current in this process: call `runhue.init()` first."""


class RunFinished(UsageError):
    """The run is finished and takes no more data."""


class BadKey(UsageError, ValueError):
    """A key that cannot be stored."""


class BadValue(UsageError, TypeError):
    """A value that cannot be stored."""


class BadMedia(BadValue, ValueError):
    """Media of a shape, format or size that cannot be stored; says which argument, and what can be."""


class BadPath(UsageError, ValueError):
    """A path that a file cannot be saved from, or written to."""


class FileIsThere(UsageError, FileExistsError):
    """A download would replace a file, and was not told to."""


class LibraryMissing(UsageError, ImportError):
    """An optional library is not installed; says which, and the extra that brings it."""


class StepWentBack(UsageError, ValueError):
    """`step` is lower than one already logged, and the settings ask for strict steps."""


class ConfigChanged(UsageError, ValueError):
    """A config key would get another value, which needs `allow_val_change=True`."""


class ServerError(RunhueError):
    """The server did not do what was asked.

    `code` is the server's stable name of the problem, `field` the part of the request it is
    about, `limit` what was exceeded and `fix` what to do; each may be None. `message` is the
    text without `fix`.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        field: str | None = None,
        limit: object = None,
        fix: str | None = None,
    ) -> None:
        fix = FIXES.get(code or "", fix)
        super().__init__(f"{message} ({fix})" if fix else message)
        self.message = message
        self.status = status
        self.code = code
        self.field = field
        self.limit = limit
        self.fix = fix


class AuthError(ServerError):
    """No API key, or one that the server does not take (401, 403)."""


class ServerRefused(ServerError):
    """The request is understood and will never be taken (4xx)."""


class ServerBusy(ServerError):
    """The server asks to wait (429, 503, other 5xx); `retry_after` is seconds, None if it did not say."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, status=status, code=code)
        self.retry_after = retry_after


class SequenceGap(ServerError):
    """The server expects another seq next (409): send from `expected_seq` on."""

    def __init__(self, message: str, expected_seq: int) -> None:
        super().__init__(message, status=409, code="sequence_gap")
        self.expected_seq = expected_seq


class ServerUnreachable(ServerError):
    """No answer: refused, cut, or timed out."""
