"""Seeds 003 and 004, the TensorFlow and the PyTorch example, with the training itself left out.

Seen: `acc` and `loss` of every step, then `loss` and `val_loss` of every epoch, and the flags in the
run's config.
"""

from argparse import Namespace

import runhue as wandb

flags = Namespace(num_steps=5, learning_rate=0.1)
with wandb.init(project="seeds", name="s003_training tensorflow", config=flags) as run:
    for step in range(1, run.config.num_steps + 1):
        loss, acc = 1 / step, 1 - 1 / (step + 1)
        wandb.log({"acc": acc, "loss": loss})

args = Namespace(epochs=3, lr=0.01)
with wandb.init(project="seeds", name="s003_training pytorch", config=args):
    for epoch in range(1, args.epochs + 1):
        train_loss, test_loss = 1 / epoch, 1.5 / epoch
        wandb.log({"loss": train_loss, "val_loss": test_loss})
