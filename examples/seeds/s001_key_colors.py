"""Seed 001, "Turn on key-based colors" and "Choose a color palette", set by the API as the drawer sets them.

Seen: runs colored by their latest loss, darker for higher; then by a config key of numbers and by one
of words; then the same in each of the three palettes.
"""

import runhue

ONLY_RUNHUE = "wandb has no API for run colors"
PALETTES = ("default", "cvd-deuteranomaly", "cvd-other")

for number, optimizer in enumerate(["adam", "sgd", "adam", "lion"]):
    config = {"learning_rate": 0.01 * (number + 1), "batch_size": 32, "optimizer": optimizer}
    with runhue.init(project="seeds-keys", name=f"s001_key_colors {number}", config=config) as run:
        for epoch in range(5):
            run.log({"loss": (number + 1) / (epoch + 1)})

with runhue.Api() as api:
    workspace = api.workspace("seeds-keys")
    print([(entry.source, entry.name) for entry in api.color_keys("seeds-keys")])

    workspace.set_color_settings(key={"source": "metric", "name": "loss"}, y="latest", buckets=4)
    for colored in workspace.coloring().runs.values():
        print(colored.name, colored.value, colored.colors.light)

    for name in ("learning_rate", "batch_size", "optimizer"):
        workspace.set_color_settings(key={"source": "config", "name": name}, buckets=4)
        print(name, [bucket.label for bucket in workspace.coloring().legend.buckets])

    for palette in PALETTES:
        workspace.set_color_settings(
            key={"source": "metric", "name": "loss"}, y="latest", buckets=4, palette=palette
        )
        print(palette, [bucket.colors.light for bucket in workspace.coloring().legend.buckets])
