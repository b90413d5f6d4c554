"""Seeds 003 and 004, "Duplicate metric names" and "Performance and limits": what one name can stand for.

Seen: `mixed` once for each type in the Key dropdown (number, string, bool, other), and `My-Metric` as
one metric however its letters are written.
"""

import runhue as wandb

with wandb.init(project="seeds", name="s003_types"):
    wandb.log({"mixed": 1})
    wandb.log({"mixed": "one"})
    wandb.log({"mixed": True})
    wandb.log({"mixed": [1, 2, 3]})
    wandb.log({"My-Metric": 1.5})
    wandb.log({"my-metric": 2.5})
    wandb.log({"nothing": None, "nested": {"loss": 0.5, "deeper": {"acc": 0.25}}})
