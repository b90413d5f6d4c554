"""Programs that measure Runhue beside its peers and its bounds; `make bench NAME=p1` runs one."""
