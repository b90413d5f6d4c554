"""Charts under the names they had in 2020; `runhue.plot` has their successors."""

from runhue._plot.legacy import ROC, HeatMap, precision_recall

__all__ = ["ROC", "HeatMap", "precision_recall"]
