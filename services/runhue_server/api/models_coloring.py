"""What requests and answers about workspaces and colors look like."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from runhue_server.api.models_runs import Answer, Body, Seconds, Storable

HexColor = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
KeyType = Literal["number", "string", "bool"]
Source = Literal["metric", "config", "default"]
Value = float | bool | str
Reason = Literal["missing", "null", "non_finite", "type_mismatch", "non_positive", "not_in_population"]
Document = dict[str, Any]
"""A filter: docs/api.md, "Filter language"."""

WorkspaceName = Annotated[str, StringConstraints(min_length=1, max_length=128), Storable]
Search = Annotated[str, StringConstraints(max_length=1_000), Storable]
HiddenRuns = Annotated[
    list[Annotated[str, StringConstraints(max_length=512), Storable]], Field(max_length=10_000)
]


class ColorKey(Body):
    """What runs are colored by; without `type`, the one that most runs have."""

    source: Source
    name: str
    type: KeyType | None = None


class ClipRange(Body):
    """Replaces the ends of the range; values outside go to the end buckets."""

    min: float | None = None
    max: float | None = None


class ColorSettings(Body):
    """Color settings of a workspace. A key of null keeps each run's own color."""

    key: ColorKey | None = None
    y: Literal["latest", "max", "min"] = "latest"
    buckets: int = Field(6, ge=2, le=8)
    palette: Literal["default", "cvd-deuteranomaly", "cvd-other"] = "default"
    scale: Literal["linear", "log", "quantile", "custom"] = "linear"
    boundaries: list[float] | None = None
    range: ClipRange | None = None
    midpoint: float | None = None
    reverse: bool = False
    overrides: dict[str, HexColor] = Field(default_factory=dict, description="a run's id to its color")
    per_group: bool = False
    population: Literal["workspace", "visible"] = "workspace"
    coerce_numeric_strings: bool = False
    stability: Literal["live", "stable", "pinned"] = "live"


class NewWorkspace(Body):
    """A workspace to make."""

    name: WorkspaceName
    filter: Document | None = None
    search: Search = ""
    hidden_runs: HiddenRuns = Field(default_factory=list)
    color_settings: Document | None = Field(None, description="as PUT .../coloring/settings takes them")


class WorkspaceEdit(Body):
    """Changes of a workspace; what is absent or null stays."""

    name: WorkspaceName | None = None
    filter: Document | None = None
    search: Search | None = None
    hidden_runs: HiddenRuns | None = None


class Workspace(Answer):
    """A named view of a project's runs. `default` marks the project's own."""

    id: int
    name: str
    team: str
    project: str
    filter: Document
    search: str
    hidden_runs: list[str]
    default: bool


class Workspaces(Answer):
    """The default first, then by name."""

    workspaces: list[Workspace]


class ColorKeyEntry(Answer):
    """One entry of the Key dropdown; those of type other are not selectable."""

    source: Source
    name: str
    type: str
    runs: int
    selectable: bool


class ColorKeys(Answer):
    keys: list[ColorKeyEntry]


class Colors(Answer):
    """One color on each theme."""

    light: HexColor
    dark: HexColor


class NoValue(Answer):
    """The neutral color of runs without a value."""

    color: HexColor | None = None
    colors: Colors


class Bucket(Answer):
    """A line of the legend. `lower` and `upper` are null where there is no limit."""

    index: int
    label: str
    lower: float | None
    upper: float | None
    lower_inclusive: bool
    upper_inclusive: bool
    category: str | bool | None
    color: HexColor | None = None
    colors: Colors
    count: int | None = Field(None, description="runs in the bucket")


class Legend(Answer):
    """What colors mean. It never changes: `legend_id` is the hash of its content."""

    legend_id: str
    kind: Literal["numeric", "single", "boolean", "categorical", "empty"]
    key: ColorKey | None
    type: KeyType | None
    y: str
    n: int
    scale: str
    min: float | None
    max: float | None
    thresholds: list[float] = Field(description="bucket = 1 + count(thresholds <= value)")
    buckets: list[Bucket]
    no_value: NoValue
    palette: str
    palette_version: int
    counts_as_of: Seconds | None = Field(
        None, description="when the counts were taken, when that was earlier"
    )


class ColoredRun(Answer):
    """How a run is drawn: `bucket` from 1, or the `reason` why it is in none."""

    run_id: str
    name: str
    value: Value | None
    bucket: int | None
    color: HexColor
    colors: Colors
    reason: Reason | None = None
    overridden: bool = False


class ColoringHead(Answer):
    """One version: what all of its pages share."""

    workspace_id: int
    version: int
    settings: ColorSettings
    settings_rev: int
    legend: Legend
    population: int
    valued: int
    pending: int = Field(description="runs that may have changed since; up to 10,000 are counted")


class Coloring(ColoringHead):
    """A page of one version; `next` is the `after` of the next page and carries the version."""

    runs: list[ColoredRun]
    next: str | None


class SettingsInForce(Answer):
    """`version`: the version of the colors at which the settings took effect."""

    settings: ColorSettings
    settings_rev: int
    version: int


class Revision(Answer):
    settings_rev: int
    settings: ColorSettings
    set_by: str
    set_at: Seconds


class Revisions(Answer):
    """The newest first."""

    revisions: list[Revision]


Ramp = dict[str, list[HexColor]]
"""Colors by number of buckets."""


class Themes(Answer):
    light: Ramp
    dark: Ramp


class Palette(Answer):
    """A palette for ordered buckets, from low to high."""

    name: str
    title: str
    serves: str = Field(description="the color vision it is for")
    colors: Themes


class Palettes(Answer):
    """Every color there is."""

    version: int
    palettes: list[Palette]
    diverging: Themes
    categorical: list[Colors]
    categorical_other: Colors
    no_value: Colors
    runs: list[Colors] = Field(description="colors of runs while no key is set")
