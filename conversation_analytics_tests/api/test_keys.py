"""Keys: made and revoked by the command line, kept as hashes, believed at once once proved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from argon2.exceptions import VerifyMismatchError
from typer.testing import CliRunner

from conversation_analytics.api.keys import KeyFile, KeyRing, Scope
from conversation_analytics.cli.main import app
from conversation_analytics.errors import KeysUnusable, SettingsError
from conversation_analytics.settings import Settings
from conversation_analytics_tests.api.lake import api_over


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys.json")


def test_the_file_holds_no_key_and_is_for_its_owner_only(file: KeyFile) -> None:
    _, key = file.create("dashboard", [Scope.REPORTS])
    text = file.path.read_text()
    assert key.rpartition("_")[2] not in text
    assert "$argon2id$" in text
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_a_key_is_known_until_it_is_revoked(file: KeyFile) -> None:
    entry, key = file.create("dashboard", [Scope.REPORTS])
    ring = KeyRing(file)
    assert ring.remembered(key) is None
    assert ring.prove(key) == entry
    assert ring.remembered(key) == entry
    file.revoke(entry.id)
    assert ring.remembered(key) is None
    assert ring.prove(key) is None


def test_a_key_that_was_proved_costs_no_hashing_again(
    file: KeyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = file.create("dashboard", [Scope.REPORTS])
    ring = KeyRing(file)
    ring.prove(key)
    monkeypatch.setattr("conversation_analytics.api.keys._HASHER", None)
    assert ring.remembered(key) is not None


@pytest.mark.parametrize("change", ["secret", "id", "nothing like a key", "empty"])
def test_what_is_no_key_is_not_believed(file: KeyFile, change: str) -> None:
    entry, key = file.create("dashboard", [Scope.REPORTS])
    given = {
        "secret": key[:-4] + ("AAAA" if not key.endswith("AAAA") else "BBBB"),
        "id": key.replace(entry.id, "0" * 12),
        "nothing like a key": "\udcff' OR 1=1 --",
        "empty": "",
    }[change]
    ring = KeyRing(file)
    assert ring.prove(given) is None
    assert ring.remembered(given) is None


def test_an_unknown_id_is_hashed_like_a_wrong_secret(
    file: KeyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, key = file.create("dashboard", [Scope.REPORTS])
    ring = KeyRing(file)
    hashed = []

    class Hasher:
        def verify(self, hash_: str, secret: str) -> bool:
            hashed.append((hash_.split("$")[1:4], len(secret)))
            raise VerifyMismatchError

    monkeypatch.setattr("conversation_analytics.api.keys._HASHER", Hasher())
    ring.prove(key)
    ring.prove(key.replace(entry.id, "0" * 12))
    assert hashed[0] == hashed[1]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"keys": [{"id": "x"}]}', '{"more": 1}'])
def test_a_damaged_file_is_an_error_that_quotes_nothing(file: KeyFile, text: str) -> None:
    file.path.write_text(text)
    file.path.chmod(0o600)
    with pytest.raises(KeysUnusable, match=r"keys.json: it is damaged"):
        file.read()


def test_a_file_that_others_may_read_is_refused(file: KeyFile) -> None:
    file.create("dashboard", [Scope.REPORTS])
    file.path.chmod(0o640)
    with pytest.raises(KeysUnusable, match="chmod 600"):
        file.read()


def test_two_valid_keys_have_two_names(file: KeyFile) -> None:
    entry, _ = file.create("dashboard", [Scope.REPORTS])
    with pytest.raises(SettingsError, match="a key has it"):
        file.create("dashboard", [Scope.REPORTS])
    file.revoke(entry.id)
    file.create("dashboard", [Scope.REPORTS])


def command(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["api", "keys", *arguments])


def test_the_command_line_creates_lists_and_revokes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEYS_FILE", str(tmp_path / "keys.json"))
    made = command("create", "--name", "bi", "--scope", "read:reports", "--scope", "admin")
    key = made.stdout.strip()
    assert KeyRing(KeyFile(tmp_path / "keys.json")).prove(key) is not None
    listed = json.loads(command("list", "--json").stdout)
    assert [(one["name"], one["scopes"]) for one in listed] == [("bi", ["read:reports", "admin"])]
    assert "hash" not in listed[0]
    assert command("revoke", listed[0]["id"]).exit_code == 0
    assert "bi" in command("list").stdout
    assert KeyRing(KeyFile(tmp_path / "keys.json")).prove(key) is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["create", "--name", "x", "--scope", "root"],
        ["create", "--name", "", "--scope", "admin"],
        ["create", "--name", "x" * 61, "--scope", "admin"],
        ["create", "--name", "x"],
        ["revoke", "nobody"],
    ],
)
def test_wrong_usage_is_exit_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setenv("API_KEYS_FILE", str(tmp_path / "keys.json"))
    assert command(*arguments).exit_code == 2


def test_a_revoked_key_is_refused_by_a_service_that_runs(
    lake_settings: Settings, tmp_path: Path
) -> None:
    with api_over(lake_settings, tmp_path) as api:
        assert api.get("/ledger", scope="read:reports").status_code == 200
        file = KeyFile(api.settings.api_keys_file)
        file.revoke(next(key.id for key in file.read() or () if key.name == "read reports"))
        refused = api.get("/ledger", scope="read:reports")
        assert (refused.status_code, refused.json()["title"]) == (401, "The API key is not valid")
        assert api.get("/ledger").status_code == 200


def test_a_damaged_file_of_keys_lets_nobody_in(lake_settings: Settings, tmp_path: Path) -> None:
    with api_over(lake_settings, tmp_path) as api:
        api.settings.api_keys_file.write_text("{")
        answer = api.get("/ledger")
        assert (answer.status_code, answer.json()["title"]) == (503, "The API keys cannot be read")
        assert str(tmp_path) not in answer.text
