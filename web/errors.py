"""What goes wrong at the door of a web application, as one tree.

::

    WebError
    +-- AccountError              people or tokens cannot be changed that way
    |   +-- AccountMissingError     there is no such person or token
    |   +-- AccountsFileError       where people and tokens are kept cannot be read or written
    +-- BusyError                 there is no turn free now; worth trying again
"""


class WebError(Exception):
    """Base of every error of the door; its text says what to do."""


class AccountError(WebError):
    """People or tokens cannot be changed in this way."""


class AccountMissingError(AccountError):
    """There is no such person or token."""


class AccountsFileError(AccountError):
    """Where people and tokens are kept cannot be read or written."""


class BusyError(WebError):
    """There is no turn free for this now; there may be one soon."""
