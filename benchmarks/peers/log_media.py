"""Log files with one tracker: `log_media.py TRACKER FOLDER RUN small|large|arrays COUNT`; prints how long it took.

small: each file of FOLDER as an image of its own step; large: each file as a file of the run; arrays: COUNT
random pictures as arrays, one a step. The clock stops when the tracker says that all is stored.
"""

import json
import os
import random
import resource
import sys
import time
from pathlib import Path

tracker, folder, name, what, count = (
    sys.argv[1],
    Path(sys.argv[2]),
    sys.argv[3],
    sys.argv[4],
    int(sys.argv[5]),
)
files = sorted(folder.iterdir()) if what != "arrays" else []
began = 0.0


def pictures():
    import numpy as np

    generator = np.random.default_rng(random.Random(name).getrandbits(32))
    for _ in range(count):
        # Smooth like a photograph: noise does not compress, flat color compresses to nothing.
        coarse = generator.integers(0, 256, (17, 17, 3), np.uint8)
        yield np.kron(coarse, np.ones((16, 16, 1), np.uint8))[:256, :256]


def resident():
    """Peak memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def clock():
    global began
    began = time.perf_counter()


def with_run(module):
    """runhue and wandb: the same calls."""
    extra = {} if module.__name__ == "runhue" else {"settings": module.Settings(silent=True, console="off")}
    run = module.init(project="p12", id=name, **extra)
    warm = resident()
    clock()
    if what == "small":
        for path in files:
            run.log({"image": module.Image(str(path))})
    elif what == "arrays":
        for picture in pictures():
            run.log({"image": module.Image(picture)})
    else:
        run.save(str(folder / "*"), base_path=str(folder.parent), policy="now")
    run.finish()
    return warm


def with_mlflow():
    import mlflow

    mlflow.set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])
    mlflow.set_experiment("p12")
    with mlflow.start_run():
        warm = resident()
        clock()
        if what == "arrays":
            for step, picture in enumerate(pictures()):
                mlflow.log_image(picture, key="image", step=step)
            mlflow.flush_artifact_async_logging()
        else:
            mlflow.log_artifacts(str(folder))  # its own batch call, on several threads
    return warm


if tracker == "mlflow":
    warm = with_mlflow()
else:
    warm = with_run(__import__(tracker))
print(json.dumps({"seconds": time.perf_counter() - began, "warm_mb": warm, "peak_mb": resident()}))
