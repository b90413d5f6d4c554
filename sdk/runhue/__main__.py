"""`python -m runhue`: the command line where the script `runhue` is not on PATH."""

from runhue.cli import main

if __name__ == "__main__":
    main()
