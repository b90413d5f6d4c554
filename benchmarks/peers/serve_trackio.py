"""Trackio's own server on the port given."""

import sys
import time

import trackio

trackio.show(server_port=int(sys.argv[1]), open_browser=False, block_thread=False)
while True:
    time.sleep(60)
