"""`conversation-analytics api`: serve the REST API, and manage its keys."""

from __future__ import annotations

from typing import Annotated

import typer

from conversation_analytics.cli.output import (
    CommandGroup,
    Json,
    read_settings,
    say,
    show,
    show_json,
    show_table,
)
from conversation_analytics.errors import SettingsError

api_app = typer.Typer(
    cls=CommandGroup, help="Serve the REST API, and manage its keys.", no_args_is_help=True
)
keys_app = typer.Typer(
    cls=CommandGroup, help="Who may ask the API, and for what.", no_args_is_help=True
)
api_app.add_typer(keys_app, name="keys")

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@api_app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on.")] = 8000,
    is_open: Annotated[
        bool, typer.Option("--open", help="Ask for no key; on this machine's own address only.")
    ] = False,
) -> None:
    """Serve the dashboard and the REST API until it is interrupted."""
    from conversation_analytics.api.app import create_app
    from conversation_analytics.api.keys import HOW_TO_MAKE_ONE, KeyFile
    from conversation_analytics.api.server import server

    settings = read_settings()
    if is_open and host not in _LOOPBACK:
        raise SettingsError(
            f"--open with --host {host} would show everything to everyone who reaches this "
            "machine: leave one of them out"
        )
    if not is_open and KeyFile(settings.api_keys_file).read() is None:
        say(f"note: there are no keys yet; {HOW_TO_MAKE_ONE} makes one")
    base = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    say(f"{base}/dashboard")
    say(f"{base}/api/v1/health")
    running = server(create_app(settings, is_open=is_open), settings, host=host, port=port)
    running.run()
    if not running.started:
        raise SettingsError(f"--host {host} --port {port}: cannot listen there; is it in use?")


@keys_app.command()
def create(
    name: Annotated[str, typer.Option(help="Whose key it is, or what for.")],
    scope: Annotated[
        list[str], typer.Option(help="read:reports, read:conversations or admin; may be repeated.")
    ],
    as_json: Json = False,
) -> None:
    """Make a key and print it, once: only its hash is kept."""
    from conversation_analytics.api.keys import KeyFile, Scope

    settings = read_settings()
    try:
        scopes = [Scope(one) for one in scope]
    except ValueError:
        allowed = ", ".join(Scope)
        raise SettingsError(f"--scope {', '.join(scope)}: must be of {allowed}") from None
    entry, key = KeyFile(settings.api_keys_file).create(name, scopes)
    if as_json:
        show_json({"id": entry.id, "name": entry.name, "scopes": entry.scopes, "key": key})
    else:
        say(f"{entry.id} {entry.name}: {', '.join(entry.scopes)}; this is shown only now:")
        show(key)


@keys_app.command("list")
def list_keys(as_json: Json = False) -> None:
    """Show the keys there are, without what proves them."""
    from conversation_analytics.api.keys import KeyFile

    keys = KeyFile(read_settings().api_keys_file).read() or ()
    if as_json:
        show_json([key.model_dump(exclude={"hash"}) for key in keys])
        return
    rows = [
        [
            key.id,
            key.name,
            ", ".join(key.scopes),
            f"{key.created_at:%Y-%m-%d}",
            None if key.revoked_at is None else f"{key.revoked_at:%Y-%m-%d}",
        ]
        for key in keys
    ]
    show_table("API keys", ["id", "name", "scopes", "created", "revoked"], rows)


@keys_app.command()
def revoke(id_: Annotated[str, typer.Argument(metavar="ID", help="Id of the key.")]) -> None:
    """Make a key invalid; a service that runs refuses it from the next request on."""
    from conversation_analytics.api.keys import KeyFile

    entry = KeyFile(read_settings().api_keys_file).revoke(id_)
    say(f"{entry.id} {entry.name}: revoked")
