"""Seeds 003 and 004, "Matplotlib": figures that stay interactive, or pictures where that is asked for.

Seen: `chart` can be zoomed and tells its points; `picture` is an image; `plotly` is a Plotly figure.
"""

import matplotlib as mpl
import matplotlib.pyplot as plt
import plotly.graph_objects as go

import runhue as wandb

mpl.use("Agg")

with wandb.init(project="seeds", name="s003_matplotlib"):
    plt.plot([1, 2, 3, 4])
    plt.ylabel("some interesting numbers")
    wandb.log({"chart": plt})
    wandb.log({"picture": wandb.Image(plt)})
    plt.close()

    plt.imshow([[0, 1], [1, 0]])
    wandb.log({"image_plot": plt})
    plt.close()

    wandb.log({"plotly": go.Figure(go.Scatter(x=[1, 2, 3], y=[4, 1, 2]))})
