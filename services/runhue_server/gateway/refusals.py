"""Refusals that a user is to read."""

from runhue_server.web.problems import Invalid


class NotUnderstood(Invalid):
    """What was asked about runs means nothing here.

    The answer's status is 200: of any other, the older Python clients show their user the status only.
    """

    status = 200
    code = "not_understood"
