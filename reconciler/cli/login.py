"""How a token is taken in: asked for, shown to Intercom, and kept."""

from __future__ import annotations

import getpass
import os
import sys
import warnings
from io import BytesIO
from typing import BinaryIO

import click

from reconciler.cli.connection import open_client
from reconciler.cli.options import Intercom
from reconciler.cli.tokens import VARIABLE, bound_to, keep
from reconciler.core.model.desired import Pin
from reconciler.errors import Usage
from reconciler.intercom import me
from reconciler.intercom.http.errors import HttpError
from reconciler.intercom.http.token import Token, parse
from reconciler.intercom.login.store import StoredToken
from reconciler.report.terminal import Terminal, clean

LONGEST = 64 * 1024


def read_token() -> Token:
    """A token from the prompt, or from standard input where nobody sits at it. Raises Usage."""
    if somebody_watches():
        return parse(ask_hidden("Access token"), "the prompt")
    return parse(stdin_bytes().read(LONGEST).decode("utf-8", "replace"), "standard input")


def somebody_watches() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


def stdin_bytes() -> BinaryIO:
    """Standard input as bytes, for not even its encoding may end in an error that shows it; empty where it is closed."""
    return sys.stdin.buffer if sys.stdin is not None else BytesIO()


def ask_hidden(prompt: str) -> str:
    """What is typed without being shown; a terminal that would show it is refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return str(click.prompt(prompt, hide_input=True, err=True, default="", show_default=False))
        except getpass.GetPassWarning:
            raise Usage("this terminal would show what is typed; give it on standard input") from None


def ask_whose(intercom: Intercom, token: Token, pin: Pin) -> me.Me:
    """Whose token it is, before it is kept."""
    with open_client(intercom, token, pin.region) as client:
        try:
            return me.ask(client)
        except HttpError as error:
            if error.status == 401 and not pin.region and not intercom.base_url:
                error.hint += "; if the workspace is in Europe or Australia, give --region eu or au"
            raise


def keep_token(intercom: Intercom, answer: me.Me, token: Token) -> str:
    """Keep a token for the verbs to come; returns where, in a sentence."""
    store = keep()
    entry = store.put(StoredToken(answer.here.app_id, answer.here.region, bound_to(intercom)), token)
    if os.environ.get(VARIABLE):
        Terminal(sys.stderr).say(f"warning: {VARIABLE} is set and is used instead of the token that was kept")
    where = f"the token is kept in the {store.place(entry)}"
    return clean(
        f"logged in to {describe_workspace(answer)}, region {answer.here.region}, as {answer.admin or 'an unnamed admin'}; {where}"
    )


def describe_workspace(answer: me.Me) -> str:
    """Its id, and its name where it has one."""
    return f"{answer.here.app_id} ({answer.name})" if answer.name else answer.here.app_id
