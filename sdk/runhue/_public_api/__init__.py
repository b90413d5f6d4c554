"""The reading side: `Api` and `AsyncApi` over the HTTP API of docs/api.md."""

from runhue._public_api.api import Api
from runhue._public_api.async_api import AsyncApi, AsyncRun
from runhue._public_api.blocking import ColoringUpdates
from runhue._public_api.coloring import Coloring, RunColor
from runhue._public_api.coloring_calls import SettingsInForce
from runhue._public_api.files import AsyncFile, File
from runhue._public_api.media import AsyncMedium, Medium
from runhue._public_api.nonblocking import AsyncColoringUpdates
from runhue._public_api.problems import SettingsChanged
from runhue._public_api.runs import Run, Runs
from runhue._public_api.tables import AsyncRunTable, RunTable
from runhue._public_api.workspaces import AsyncWorkspace, Workspace

__all__ = [
    "Api",
    "AsyncApi",
    "AsyncColoringUpdates",
    "AsyncFile",
    "AsyncMedium",
    "AsyncRun",
    "AsyncRunTable",
    "AsyncWorkspace",
    "Coloring",
    "ColoringUpdates",
    "File",
    "Medium",
    "Run",
    "RunColor",
    "RunTable",
    "Runs",
    "SettingsChanged",
    "SettingsInForce",
    "Workspace",
]
