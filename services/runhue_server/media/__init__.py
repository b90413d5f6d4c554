"""The media worker: looks at stored bytes, in a bounded process, and makes what screens show of them."""
