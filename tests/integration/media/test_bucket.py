"""Media whose bytes are in a bucket: put there by clients, looked at here, renditions kept there too."""

from collections.abc import Iterator

import httpx
import pytest
from moto.server import ThreadedMotoServer

from runhue_server.storage import uploads
from runhue_server.storage.named_files import take_over_uploads
from runhue_server.storage.targets import RunFileAt
from runhue_server.storage.uploads import Upload, run_owner
from runhue_shared.settings import Settings
from tests.integration.media.conftest import MediaRun, work
from tests.integration.media.pictures import png
from tests.integration.storage.bucket import Bucket

PATH = "media/images/a_0_0.png"


@pytest.fixture
def bucket(server_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A new bucket, in which this server keeps bytes."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    made = Bucket(server)
    made.use(monkeypatch)
    yield made
    server.stop()


def test_put_at_the_bucket(bucket: Bucket, run: MediaRun) -> None:
    """What a client put at the bucket is looked at once it is taken over; its thumbnail is in the bucket."""
    target = RunFileAt(run.run.id, PATH, "image/png")
    (address,) = uploads.addresses(run.team_id, [Upload(run_owner(run.run.id), PATH, target)], "")
    assert httpx.put(address, content=png(600, 300)).status_code == 200

    take_over_uploads(run.team_id, run.run.id)
    work()

    assert run.states() == {"ready": 1}
    assert len(bucket.objects("blobs/")) == 2
