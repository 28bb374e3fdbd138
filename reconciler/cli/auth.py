"""The connection: auth login, status and logout."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import suppress

import click

from reconciler.cli.asking import prompt
from reconciler.cli.connection import open_client, pin_of_folder, refuse_other, undo_keys_of_folder
from reconciler.cli.help import Family, refuse_writes
from reconciler.cli.ledger_choice import VARIABLE as LEDGER
from reconciler.cli.login import LONGEST, ask_hidden, ask_whose, describe_workspace, keep_token, read_token, somebody_watches, stdin_bytes
from reconciler.cli.options import APP_ID, REGION, Intercom, intercom_options
from reconciler.cli.running import in_ci
from reconciler.cli.tokens import VARIABLE, Credential, bound_to, keep, load_stored, name_source, stored_tokens, storeless_credential
from reconciler.core.model.desired import Pin
from reconciler.errors import IntercomError, ReconcilerError, Usage
from reconciler.intercom import me
from reconciler.intercom.http.host import check_address
from reconciler.intercom.http.token import Token, parse
from reconciler.intercom.login import oauth
from reconciler.ledger.sealing import KEY_FILE
from reconciler.report.terminal import Terminal, clean
from reconciler.workflow.undoable import Keeping, look_at_undo

SECRET = "INTERCOM_CLIENT_SECRET"


@click.group(cls=Family)
def auth() -> None:
    """Access tokens: keep one, show whose it is, remove it.

    \b
    Example:
      reconciler auth login
      reconciler auth status
    """


@auth.command(context_settings={"allow_extra_args": True})
@click.option("--client-id", metavar="ID", help="OAuth for your own app; its secret comes from INTERCOM_CLIENT_SECRET or a prompt.")
@click.option("--redirect-uri", metavar="URL", help="An address that is registered for that app. Default: the first one.")
@REGION
@APP_ID
@intercom_options
@click.pass_context
def login(
    context: click.Context, client_id: str | None, redirect_uri: str | None, region: str | None, app_id: str | None, intercom: Intercom
) -> None:
    """Check an access token and keep it.

    It asks for the token, or reads it from standard input. It keeps it in the system's keyring, else in a file that only you can read.
    INTERCOM_ACCESS_TOKEN wins over what is kept.

    \b
    Example:
      reconciler auth login < token.txt
      reconciler auth login --client-id 7ab0c --redirect-uri https://example.com/intercom
    """
    if context.args:  # not echoed: it may be a token
        raise Usage("login takes no argument, as others on this machine could read it; give the token at the prompt or on standard input")
    if redirect_uri and not client_id:
        raise Usage("--redirect-uri belongs to OAuth; give --client-id with it")
    if client_id:
        refuse_writes("OAuth makes a new token; give one at the prompt or on standard input")
    if intercom.sandbox:
        raise Usage("--sandbox needs no login; to try one, run `reconciler sandbox serve` and give its address as --base-url")
    pin = pin_of_folder(region, app_id)
    token = _by_oauth(intercom, client_id, redirect_uri) if client_id else read_token()
    answer = ask_whose(intercom, token, pin)
    refuse_other(pin, answer.here)
    out = Terminal(sys.stdout)
    out.line(keep_token(intercom, answer, token))
    out.check()


def _by_oauth(intercom: Intercom, client_id: str, redirect_uri: str | None) -> Token:
    """A person allows the app in a browser and pastes the address that it ends at: Intercom takes no address of this machine."""
    at = f"{check_address(intercom.base_url).geturl()}/oauth" if bound_to(intercom) and intercom.base_url else oauth.AUTHORIZE
    state = oauth.new_state()
    url = oauth.authorize_url(client_id, state, oauth.check_redirect(redirect_uri) if redirect_uri else None, at)
    secret = _secret()
    Terminal(sys.stderr).say(f"Open this address, allow the access, and paste the address that the browser ends at:\n\n{url}\n")
    _open(url)
    code = oauth.code_of(_read_pasted(), state)
    with open_client(intercom, None, None) as client:
        return oauth.exchange(client, client_id, secret, code)


def _secret() -> Token:
    if secret := os.environ.get(SECRET):
        return parse(secret, SECRET, "client secret")
    if not somebody_watches():
        raise Usage(f"there is no terminal to ask for the client secret at; set {SECRET}")
    return parse(ask_hidden("Client secret"), "the prompt", "client secret")


def _open(url: str) -> None:
    """The browser, where somebody sits in front of one. Tools that find no display take over the terminal."""
    display = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if display and somebody_watches() and not os.environ.get("CI"):
        with suppress(webbrowser.Error, OSError):
            webbrowser.open(url)


def _read_pasted() -> str:
    """The first line with something on it."""
    if somebody_watches():
        return str(prompt("Address", err=True, default="", show_default=False))
    lines = stdin_bytes()
    while line := lines.readline(LONGEST):
        if line.strip():
            return line.decode("utf-8", "replace")
    return ""


@auth.command()
@REGION
@APP_ID
@intercom_options
def status(region: str | None, app_id: str | None, intercom: Intercom) -> None:
    """Show whose token is used, and where it is kept.

    It also shows how much of the rate limit is left, and from where a run of the manifest in this folder can be undone.

    \b
    Example:
      reconciler auth status
    """
    pin, out, troubles = pin_of_folder(region, app_id), Terminal(sys.stdout), []
    for credential in _credentials(intercom, pin):
        try:
            with name_source(credential.source), open_client(intercom, credential.token, pin.region or credential.region) as client:
                answer = me.ask(client)
        except IntercomError as error:
            troubles.append(str(error))
            continue
        out.lines((*_lines(answer, credential.source), clean(f"undo        {_say_undo()}")))
        out.check()
        refuse_other(pin, answer.here)
    if troubles:
        raise ReconcilerError("\n".join(troubles))


def _say_undo() -> str:
    """From where a run of the manifest in this folder can be undone, or why that is not known."""
    try:
        keys = undo_keys_of_folder()
    except ReconcilerError as error:
        return str(error)
    return look_at_undo(Keeping(os.environ.get(LEDGER, ""), keys, os.environ.get(KEY_FILE, ""), in_ci())).message


def _credentials(intercom: Intercom, pin: Pin) -> Iterator[Credential]:
    """The token that verbs use, or every stored one where nothing says which is meant."""
    if credential := storeless_credential(intercom):
        yield credential
    else:
        yield from map(load_stored, stored_tokens(intercom, pin))


def _lines(answer: me.Me, source: str) -> Iterator[str]:
    """A connection as people see it, with an empty line after it."""
    yield clean(f"workspace   {describe_workspace(answer)}")
    yield clean(f"region      {answer.here.region}")
    yield clean(f"admin       {answer.admin}")
    yield clean(f"token       {source}")
    if answer.of_person:
        yield f"warning     {me.PERSONAL}"
    if answer.window is None:
        yield "rate limit  not told"
    else:
        calls = f"{answer.window.remaining} of {answer.window.limit} calls left"
        yield f"rate limit  {calls} in this window of ten seconds, for {answer.window.lasts:.0f} s"


@auth.command()
@click.option("--app-id", metavar="ID", help="Only the token of this workspace. Default: all of them.")
def logout(app_id: str | None) -> None:
    """Remove what login kept. Intercom goes on accepting the token until it is revoked there.

    \b
    Example:
      reconciler auth logout --app-id ecahpwf5
    """
    store, out = keep(), Terminal(sys.stdout)
    every = store.all()
    tokens = [token for token in every if app_id in (None, token.app_id)]
    if app_id and not tokens:
        raise ReconcilerError(f"no token of {app_id} is stored; `reconciler auth logout` without --app-id removes every one that is")
    for token in tokens:
        place = store.place(token)
        store.drop(token)
        out.line(clean(f"removed the token of {token.app_id} in {token.region} from the {place}"))
    if not tokens:
        Terminal(sys.stderr).say("no token is stored")
    if os.environ.get(VARIABLE):
        Terminal(sys.stderr).say(f"{VARIABLE} is set and goes on being used")
    out.check()
