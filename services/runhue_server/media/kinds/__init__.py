"""One module for each way of looking at bytes; `inspectors.py` beside this folder names them all."""
