"""`runhue demo`: real servers, real runs, live colors, and a check of every one of them."""
