"""Charts of `runhue.plot`, and figures of matplotlib and Plotly, as what is stored of them."""
