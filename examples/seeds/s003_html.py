"""Seeds 003 and 004, "HTML": pages of one's own on the run's page.

Seen: a file with the default styles, a link, and the same file without the styles.
"""

import tempfile
from pathlib import Path

import runhue as wandb

some = Path(tempfile.mkdtemp()) / "some.html"
some.write_text("<h1>Results</h1><p>All is well.</p>", encoding="utf-8")

with wandb.init(project="seeds", name="s003_html"):
    with some.open(encoding="utf-8") as page:
        wandb.log({"custom_file": wandb.Html(page)})
    wandb.log({"custom_string": wandb.Html('<a href="https://mysite">Link</a>')})
    with some.open(encoding="utf-8") as page:
        wandb.log({"custom_file": wandb.Html(page, inject=False)})
