"""Charts of a classifier, logged at once; scikit-learn is not needed."""

from runhue._plot.legacy import plot_confusion_matrix, plot_precision_recall, plot_roc

__all__ = ["plot_confusion_matrix", "plot_precision_recall", "plot_roc"]
