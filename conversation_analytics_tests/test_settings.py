"""What a setting accepts, what it refuses and in which words, and what `.env.example` says."""

from __future__ import annotations

import os
import pickle
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest

from conversation_analytics.compute.runner import (
    InProcessRunner,
    ProcessPoolRunner,
    runner_for,
)
from conversation_analytics.errors import SettingsError
from conversation_analytics.settings import Settings, load_settings
from conversation_analytics.storage.encoding import ParquetOptions
from conversation_analytics.storage.lake import open_lake, open_store
from conversation_analytics.storage.s3 import S3Access, S3Store

EXAMPLE = Path(__file__).parents[1] / ".env.example"
NAMES = [name.upper() for name in Settings.model_fields]
SECRETS = {
    "NOCODB_API_TOKEN": "nc-hush-hush",
    "MONGODB_URI": "mongodb://user:hush-hush@localhost/db",
    "AWS_SECRET_ACCESS_KEY": "aws-hush-hush",
    "ALERT_WEBHOOK_URL": "https://hooks.example.org/hush-hush",
    "DIFY_API_KEY": "app-hush-hush",
    "DIFY_TRANSLATE_API_KEY": "app-hush-hush-translate",
    "DIFY_CATEGORIZE_API_KEY": "app-hush-hush-categorize",
}
DIFY = {"DIFY_BASE_URL": "https://dify.example.org/v1"}
NOCODB = {
    "NOCODB_BASE_URL": "https://nocodb.example.org",
    "NOCODB_API_TOKEN": SECRETS["NOCODB_API_TOKEN"],
    "NOCODB_PROJECT_ID": "pbase",
}


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper() in NAMES:
            monkeypatch.delenv(name)


def loaded(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return load_settings(env_file=None)


WRONG = [
    ("SOURCE", "postgres", "'auto', 'nocodb' or 'files'"),
    ("SOURCE_PROFILE", "slack", "'auto', 'plain' or 'dify'"),
    ("ESCALATION_PATTERN", "(", "must be a regular expression"),
    ("ANALYTICS_TIMEZONE", "Mars/Olympus", "must be an IANA time zone such as UTC"),
    ("ANALYTICS_TIMEZONE", "../../etc/passwd", "must be an IANA time zone such as UTC"),
    ("ANALYTICS_TIMEZONE", "Asia", "must be an IANA time zone such as UTC"),
    ("PARTITIONS_START_DATE", "2024-01-02", "must be a Monday that is the first of a month"),
    ("PARTITIONS_START_DATE", "2024-02-01", "must be a Monday that is the first of a month"),
    ("PARTITIONS_START_DATE", "soon", "must be a date such as 2024-01-01"),
    ("SYNC_LAG_SECONDS", "-1", "greater than or equal to 0"),
    ("SYNC_LAG_SECONDS", "inf", "less than or equal to 86400"),
    ("SYNC_LAG_SECONDS", "nan", "or equal to"),
    ("SYNC_INTERVAL_SECONDS", "4", "greater than or equal to 5"),
    ("SWEEP_INTERVAL_HOURS", "5", "1, 2, 3, 4, 6, 8, 12 or 24"),
    ("MAX_DELETE_FRACTION", "1.1", "less than or equal to 1"),
    ("NOCODB_BASE_URL", "nocodb.example.org", "must be a URL that starts with http://"),
    ("MIN_USERS_PER_CELL", "0", "greater than or equal to 1"),
    ("REPORT_DIMENSIONS", "segment, topic", "topic is a dimension of every report"),
    ("CATEGORIZE_WITH_LLM", "words", "'conversations', 'messages', 'all' or 'none'"),
    ("DIFY_BASE_URL", "dify.example.org", "must be a URL that starts with http://"),
    ("DIFY_TRANSLATE_VERSION", "2/3", "must be letters, digits and dashes"),
    ("DIFY_CATEGORIZE_VERSION", "v_2", "must be letters, digits and dashes"),
    ("DIFY_MAX_CALLS_PER_RUN", "-1", "greater than or equal to 0"),
    ("DIFY_MAX_COST", "0", "greater than 0"),
    ("DIFY_MAX_COST", "much", "must be a number"),
    ("DIFY_MAX_COST", "inf", "finite"),
    ("DIFY_MAX_CONCURRENCY", "0", "greater than or equal to 1"),
    ("DIFY_CALLS_PER_MINUTE", "0", "greater than 0"),
    ("DIFY_BATCH_SIZE", "0", "greater than or equal to 1"),
    ("DIFY_MAX_ATTEMPTS", "0", "greater than or equal to 1"),
    ("DIFY_IDLE_TIMEOUT", "10", "greater than or equal to 15"),
    ("DIFY_RUN_TIMEOUT", "nan", "or equal to"),
    ("TRANSLATE_TO", "English", "must be the code of a language, such as en"),
    ("TRANSLATE_TO", "../en", "must be the code of a language, such as en"),
    ("TRANSLATE_POLICY", "some", "'all', 'low_confidence' or 'none'"),
    ("S3_ENABLED", "perhaps", "must be true or false"),
    ("S3_BUCKET", "s3://bucket/folder", "must be the name of a bucket alone"),
    ("AWS_ENDPOINT_URL", "localhost:9000", "must be a URL that starts with http://"),
    ("PARQUET_STORAGE_ENABLED", "2", "must be true or false"),
    ("PARQUET_PARTITION_BY", "month", "'year,month,day' or 'date'"),
    ("PARQUET_COMPRESSION", "rar", "'zstd', 'snappy', 'gzip', 'brotli', 'lz4' or 'none'"),
    ("PARQUET_ROW_GROUP_SIZE", "999", "greater than or equal to 1000"),
    ("PARQUET_PAGE_SIZE", "4095", "greater than or equal to 4096"),
    ("PARQUET_TARGET_FILE_SIZE_MB", "0", "greater than 0"),
    ("PARQUET_MAX_RECORDS_PER_FILE", "-3", "greater than 0"),
    ("ENABLE_MULTITHREADING", "si", "must be true or false"),
    ("ENABLE_GPU", "maybe", "'auto', 'true' or 'false'"),
    ("MAX_WORKERS", "0", "greater than or equal to 1"),
    ("PROCESSING_THREADS", "many", "must be a whole number"),
    ("IO_THREADS", "65", "less than or equal to 64"),
    ("CHUNK_SIZE", "99", "greater than or equal to 100"),
    ("BATCH_SIZE", "100001", "less than or equal to 100000"),
    ("MAX_RETRIES", "21", "less than or equal to 20"),
    ("MAX_RETRIES", "2.5", "must be a whole number"),
    ("RETRY_DELAY", "slow", "must be a number"),
    ("API_RATE_LIMIT", "lots", "must be a number of requests and a time"),
    ("API_MAX_REQUESTS", "0", "greater than or equal to 1"),
    ("API_TIMEOUT", "0", "greater than or equal to 0.1"),
    ("API_EXPORT_TIMEOUT", "nan", "or equal to"),
    ("API_IDLE_TIMEOUT", "601", "less than or equal to 600"),
    ("API_CACHE_MB", "-1", "greater than or equal to 0"),
    ("RUN_RETENTION_DAYS", "0", "greater than or equal to 1"),
    ("LOG_LEVEL", "LOUD", "'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'"),
]
# Not repeated when they are wrong; see test_a_refused_secret_is_not_repeated.
REFUSED_SECRETS = {"MONGODB_URI", "ALERT_WEBHOOK_URL"}
# Any text is a name or a path; what is behind it is looked at when it is used.
FREE_TEXT = {
    "SOURCE_DIR",
    "FIELD_MAPPING_FILE",
    "NOCODB_API_TOKEN",
    "NOCODB_PROJECT_ID",
    "NOCODB_CONVERSATION_TABLE",
    "NOCODB_MESSAGES_TABLE",
    "MONGODB_DATABASE",
    "MONGODB_CONVERSATIONS_COLLECTION",
    "MONGODB_MESSAGES_COLLECTION",
    "MONGODB_CATEGORIES_COLLECTION",
    "MONGODB_TRANSLATIONS_COLLECTION",
    "MONGODB_ANALYTICS_REPORTS_COLLECTION",
    "MONGODB_USER_ANALYTICS_COLLECTION",
    "LABEL_CONFUSION_FILES",
    "LABEL_CONFUSION_FILE",
    "ALERTS_FILE",
    "MONGODB_DIFY_CALLS_COLLECTION",
    "MONGODB_DIFY_CLAIMS_COLLECTION",
    "TAXONOMY_FILE",
    "HUMAN_LABELS_FILE",
    "TEXT_ENCODER",
    "DIFY_API_KEY",
    "DIFY_TRANSLATE_API_KEY",
    "DIFY_CATEGORIZE_API_KEY",
    "DIFY_USER",
    "S3_PREFIX",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
    "API_KEYS_FILE",
    "PARQUET_BASE_DIR",
    "LOG_FILE",
}


@pytest.mark.parametrize(("name", "value", "allowed"), WRONG)
def test_a_wrong_value_names_variable_value_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(monkeypatch, **{name: value})
    assert f"{name}={value!r}: " in str(caught.value)
    assert allowed in str(caught.value)


def test_every_setting_that_can_be_wrong_is_tried_above() -> None:
    assert {name for name, _, _ in WRONG} == set(NAMES) - FREE_TEXT - REFUSED_SECRETS


def test_all_wrong_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"MAX_WORKERS='x'.*LOG_LEVEL='Y'"):
        loaded(monkeypatch, MAX_WORKERS="x", LOG_LEVEL="y")


def test_a_secret_is_in_no_message_and_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = loaded(monkeypatch, **SECRETS, **DIFY, AWS_ACCESS_KEY_ID="key")
    shown = f"{settings!r} {settings} {settings.model_dump()} {S3Access.of(settings)!r}"
    assert "hush-hush" not in shown
    assert "hush-hush" not in settings.model_dump_json()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"MONGODB_URI": "http://user:hush-hush@host"}, "MONGODB_URI=(not shown): must start with"),
        ({"ALERT_WEBHOOK_URL": "hooks/hush-hush"}, "ALERT_WEBHOOK_URL=(not shown): must be a URL"),
        (
            {**SECRETS, **DIFY, "AWS_ACCESS_KEY_ID": ""},
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ),
        ({"NOCODB_BASE_URL": "ftp://user:hush-hush@host"}, "'ftp://***@host': must be a URL"),
        ({**SECRETS, "MAX_WORKERS": "none", "AWS_ACCESS_KEY_ID": "key"}, "MAX_WORKERS='none'"),
    ],
)
def test_a_refused_secret_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], words: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(monkeypatch, **variables)
    assert words in str(caught.value)
    assert "hush-hush" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"PARQUET_STORAGE_ENABLED": "false"}, "PARQUET_STORAGE_ENABLED=false leaves no lake"),
        ({"S3_ENABLED": "true"}, "S3_BUCKET must be set when S3_ENABLED=true"),
        ({"AWS_ACCESS_KEY_ID": "key"}, "must be set together, or both left empty"),
        ({"AWS_SECRET_ACCESS_KEY": "x"}, "must be set together, or both left empty"),
        ({"DIFY_API_KEY": "app-x"}, "DIFY_API_KEY needs DIFY_BASE_URL"),
        ({"DIFY_CATEGORIZE_API_KEY": "app-x"}, "DIFY_CATEGORIZE_API_KEY needs DIFY_BASE_URL"),
        (DIFY, "DIFY_BASE_URL needs the API key of an app"),
        (
            {"SOURCE": "nocodb"},
            "reading NocoDB needs NOCODB_BASE_URL, NOCODB_API_TOKEN, NOCODB_PROJECT_ID",
        ),
        (
            {"NOCODB_BASE_URL": "http://localhost"},
            "reading NocoDB needs NOCODB_API_TOKEN, NOCODB_PROJECT_ID",
        ),
        ({**NOCODB, "NOCODB_API_TOKEN": ""}, "reading NocoDB needs NOCODB_API_TOKEN"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], words: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(monkeypatch, **variables)
    assert words in str(caught.value)


def test_a_blank_value_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loaded(monkeypatch, **dict.fromkeys(NAMES, "")) == load_settings(None)


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / ".env"
    file.write_text("MAX_WORKERS=2\nIO_THREADS=3\n# a comment\nSOMETHING_ELSE=1\n")
    monkeypatch.setenv("IO_THREADS", "5")
    settings = load_settings(file)
    assert (settings.max_workers, settings.io_threads, settings.chunk_size) == (2, 5, 10_000)


def test_no_env_file_is_needed(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "absent") == load_settings(None)


def test_nocodb_is_read_as_soon_as_its_address_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings(None).source_kind == "files"
    assert loaded(monkeypatch, **NOCODB).source_kind == "nocodb"
    assert loaded(monkeypatch, SOURCE="files").source_kind == "files"


def test_labels_by_an_llm_need_a_key_of_their_own() -> None:
    def name_and_key(**keys: str) -> list[tuple[str, str] | None]:
        settings = load_settings(None, dify_base_url=DIFY["DIFY_BASE_URL"], **keys)
        found = [settings.dify_key("translate"), settings.dify_key("categorize")]
        return [one and (one[0], one[1].get_secret_value()) for one in found]

    own, common = ("DIFY_TRANSLATE_API_KEY", "app-t"), ("DIFY_API_KEY", "app-all")
    assert name_and_key(dify_translate_api_key="app-t") == [own, None]
    assert name_and_key(dify_api_key="app-all") == [common, None]
    assert name_and_key(dify_translate_api_key="app-t", dify_api_key="app-all") == [own, None]
    labels = ("DIFY_CATEGORIZE_API_KEY", "app-c")
    assert name_and_key(dify_categorize_api_key="app-c") == [None, labels]


def test_slashes_around_addresses_and_prefixes_do_not_matter() -> None:
    settings = load_settings(
        None, s3_prefix="/a/b/", aws_endpoint_url="http://localhost:9000/", log_level="debug"
    )
    assert settings.s3_prefix == "a/b"
    assert settings.aws_endpoint_url == "http://localhost:9000"
    assert settings.log_level == "DEBUG"


def test_time_zone_and_start_date_make_the_calendar() -> None:
    settings = load_settings(
        None, analytics_timezone="Asia/Bangkok", partitions_start_date=date(2024, 7, 1)
    )
    assert settings.calendar.timezone == "Asia/Bangkok"
    assert settings.calendar.start == date(2024, 7, 1)


@pytest.mark.parametrize(
    ("enabled", "wanted", "most", "workers"),
    [(True, 8, 3, 3), (True, 2, 3, 2), (True, 1, 3, 1), (False, 8, 8, 1)],
)
def test_the_number_of_workers_is_a_setting(
    enabled: bool, wanted: int, most: int, workers: int
) -> None:
    settings = load_settings(
        None, enable_multithreading=enabled, processing_threads=wanted, max_workers=most
    )
    assert settings.workers == workers
    kind = InProcessRunner if workers == 1 else ProcessPoolRunner
    assert isinstance(runner_for(settings), kind)


def test_the_lake_is_where_and_how_the_settings_say(tmp_path: Path) -> None:
    settings = load_settings(
        None,
        parquet_base_dir=tmp_path,
        parquet_partition_by="date",
        parquet_compression="gzip",
        parquet_row_group_size=2_000,
        parquet_page_size=8_192,
        parquet_max_records_per_file=10,
        parquet_target_file_size_mb=3,
    )
    lake = open_lake(settings)
    assert lake.store.url == str(tmp_path)
    assert lake.layout.partition_by == "date"
    assert lake.options == ParquetOptions("gzip", 2_000, 8_192, 10, 3)


def test_the_lake_is_in_s3_when_s3_is_enabled() -> None:
    settings = load_settings(
        None,
        s3_enabled=True,
        s3_bucket="bucket",
        s3_prefix="lake",
        parquet_storage_enabled=False,
        aws_region="eu-central-1",
        aws_endpoint_url="http://localhost:9000",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        max_retries=2,
        io_threads=4,
    )
    store = open_store(settings)
    assert isinstance(store, S3Store)
    assert store.url == "s3://bucket/lake"
    assert S3Access.of(settings) == S3Access(
        "eu-central-1", "http://localhost:9000", "key", "secret", max_attempts=3, connections=4
    )


def test_settings_travel_to_worker_processes() -> None:
    settings = load_settings(None, mongodb_uri=SECRETS["MONGODB_URI"])
    copy = pickle.loads(pickle.dumps(settings))
    assert copy == settings
    assert copy.calendar == settings.calendar


def test_the_example_names_every_setting_and_no_other() -> None:
    lines = EXAMPLE.read_text().splitlines()
    assert sorted(line.partition("=")[0] for line in lines if line[:1].isalpha()) == sorted(NAMES)


def test_the_example_explains_each_setting() -> None:
    lines = EXAMPLE.read_text().splitlines()
    unexplained = [
        line
        for before, line in pairwise(lines)
        if line[:1].isalpha() and not before.startswith("# ")
    ]
    assert unexplained == []


def test_the_example_says_the_defaults() -> None:
    assert load_settings(EXAMPLE) == load_settings(None)
    written = {
        line.partition("=")[0]
        for line in EXAMPLE.read_text().splitlines()
        if line[:1].isalpha() and not line.endswith("=")
    }
    # Without a default, or (worker processes) with one that depends on the machine.
    blank = {
        name.upper()
        for name, field in Settings.model_fields.items()
        if field.default_factory or field.default in (None, "")
    }
    assert written == set(NAMES) - blank
