"""Errors that whoever runs the service has to put right."""


class OperatorError(Exception):
    """Something outside the program is wrong: a setting, a file, a database, a command's argument.

    The message is for whoever runs the service: what is wrong and what to do about it, without a secret or anything of
    a person. The command line prints it as it is.
    """
