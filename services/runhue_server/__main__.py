"""`python -m runhue_server up`: the server's commands without the SDK's, which keeps the supervisor small."""

from runhue_server.cli import server_commands

if __name__ == "__main__":
    server_commands(prog_name="runhue")
