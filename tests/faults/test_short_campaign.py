"""One short seeded campaign in every test run; `make soak` runs long ones."""

from contextlib import closing
from pathlib import Path

import pytest

from runhue_server.stack import Stack
from tests.faults.campaign import Campaign


@pytest.mark.stack
@pytest.mark.timeout(600)
def test_nothing_is_lost_doubled_or_miscolored_under_faults(tmp_path: Path) -> None:
    """Every process kind is killed, Redis is wiped, batches repeat and rot: all totals are exact."""
    with (
        Stack.temporary() as stack,
        closing(Campaign(stack, tmp_path / "runs", seed=20261121, seconds=25)) as campaign,
    ):
        campaign.run()

        assert len({fault.kind for fault in campaign.faults}) >= 10
        assert sum(len(run.must) for run in campaign.expected().values()) > 5_000
        assert sum(len(run.pictures) for run in campaign.expected().values()) > 100
