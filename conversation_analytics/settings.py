"""Every setting, read and validated once.

`load_settings()` is called by `build_defs()` and by the command line, never at import. A value
comes from the environment, else from `.env`, else from the default beside the field; an empty
one counts as absent. The name of the variable is the upper-cased name of the field.
"""

from __future__ import annotations

import os
import re
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    Field,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from conversation_analytics.errors import SettingsError
from conversation_analytics.partitions import DayCalendar

# What reports always tell conversations apart by; REPORT_DIMENSIONS adds attributes.
FIXED_DIMENSIONS = ("language", "topic", "intent", "sentiment", "channel", "model", "status")

DifyPurpose = Literal["translate", "categorize"]


class Settings(BaseSettings):
    """The validated settings. Secrets print as asterisks."""

    model_config = SettingsConfigDict(
        env_file=None, env_ignore_empty=True, extra="ignore", frozen=True
    )

    source: Literal["auto", "nocodb", "files"] = "auto"
    source_dir: Path = Path("data/source")
    source_profile: Literal["auto", "plain", "dify"] = "auto"
    field_mapping_file: Path | None = None
    escalation_pattern: str = "#AGENT"
    analytics_timezone: str = "UTC"
    partitions_start_date: date = date(2024, 1, 1)
    sync_lag_seconds: float = Field(5, ge=0, le=86_400)
    sync_interval_seconds: int = Field(30, ge=5, le=86_400)
    max_delete_fraction: float = Field(0.2, ge=0, le=1)
    sweep_interval_hours: int = 24

    nocodb_base_url: str | None = None
    nocodb_api_token: SecretStr | None = None
    nocodb_project_id: str | None = None
    nocodb_conversation_table: str = "conversations"
    nocodb_messages_table: str = "messages"

    mongodb_uri: SecretStr | None = None
    mongodb_database: str = "conversation_analytics"
    mongodb_conversations_collection: str = "conversation_analytics"
    mongodb_messages_collection: str = "conversation_messages"
    mongodb_categories_collection: str = "conversation_categories"
    mongodb_translations_collection: str = "conversation_translations"
    mongodb_analytics_reports_collection: str = "analytics_reports"
    mongodb_user_analytics_collection: str = "user_analytics"
    mongodb_dify_calls_collection: str = "dify_calls"
    mongodb_dify_claims_collection: str = "dify_claims"

    taxonomy_file: Path | None = None
    human_labels_file: Path | None = None
    text_encoder: str = "words"
    categorize_with_llm: Literal["conversations", "messages", "all", "none"] = "conversations"
    min_users_per_cell: int = Field(5, ge=1)
    report_dimensions: str = ""
    label_confusion_files: str = ""

    dify_base_url: str | None = None
    dify_api_key: SecretStr | None = None
    dify_translate_api_key: SecretStr | None = None
    dify_categorize_api_key: SecretStr | None = None
    dify_translate_version: str = "1"
    dify_categorize_version: str = "1"
    dify_user: str = "conversation-analytics"
    dify_max_calls_per_run: int | None = Field(None, ge=0)
    dify_max_cost: Decimal | None = Field(None, gt=0)
    dify_max_concurrency: int = Field(8, ge=1, le=64)
    dify_calls_per_minute: float | None = Field(None, gt=0, le=60_000)
    dify_batch_size: int = Field(20, ge=1, le=200)
    dify_max_attempts: int = Field(3, ge=1, le=20)
    dify_idle_timeout: float = Field(60, ge=15, le=3_600, description="seconds")
    dify_run_timeout: float = Field(1_200, ge=15, le=86_400, description="seconds")
    translate_to: str = "en"
    translate_policy: Literal["all", "low_confidence", "none"] = "all"

    s3_enabled: bool = False
    s3_bucket: str | None = None
    s3_prefix: str = ""
    aws_access_key_id: str | None = None
    aws_secret_access_key: SecretStr | None = None
    aws_region: str | None = None
    aws_endpoint_url: str | None = None

    parquet_storage_enabled: bool = True
    parquet_base_dir: Path = Path("data/lake")
    parquet_partition_by: Literal["year,month,day", "date"] = "year,month,day"
    parquet_compression: Literal["zstd", "snappy", "gzip", "brotli", "lz4", "none"] = "zstd"
    parquet_row_group_size: int = Field(131_072, ge=1_000)
    parquet_page_size: int = Field(1_048_576, ge=4_096, description="bytes")
    parquet_target_file_size_mb: PositiveInt | None = None
    parquet_max_records_per_file: PositiveInt | None = None

    enable_multithreading: bool = True
    enable_gpu: Literal["auto", "true", "false"] = "auto"
    max_workers: int = Field(4, ge=1)
    processing_threads: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    io_threads: int = Field(8, ge=1, le=64)
    chunk_size: int = Field(10_000, ge=100)
    batch_size: int = Field(1_000, ge=1, le=100_000)
    max_retries: int = Field(5, ge=0, le=20)
    retry_delay: float = Field(1.0, ge=0, le=3_600, description="seconds before the first retry")

    api_keys_file: Path = Path("data/api_keys.json")
    api_rate_limit: str = "600/minute"
    api_max_requests: int = Field(64, ge=1, le=10_000)
    api_timeout: float = Field(10, ge=0.1, le=600, description="seconds")
    api_export_timeout: float = Field(1_800, ge=1, le=86_400, description="seconds")
    api_idle_timeout: float = Field(20, ge=0.1, le=600, description="seconds")
    api_cache_mb: int = Field(256, ge=0, le=1_000_000)

    alerts_file: Path | None = None
    alert_webhook_url: SecretStr | None = None
    run_retention_days: int = Field(90, ge=1, le=3_650)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    log_file: Path | None = None

    @field_validator("analytics_timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("must be an IANA time zone such as UTC or Asia/Bangkok") from error
        return value

    @field_validator("partitions_start_date")
    @classmethod
    def _monday_and_first(cls, value: date) -> date:
        if value.day != 1 or value.weekday() != 0:
            raise ValueError(
                "must be a Monday that is the first of a month, such as 2024-01-01, 2024-04-01, "
                "2024-07-01 or 2025-09-01, so that days, weeks and months start together"
            )
        return value

    @field_validator("escalation_pattern")
    @classmethod
    def _is_regex(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"must be a regular expression ({error})") from error
        return value

    @field_validator("nocodb_base_url", "dify_base_url", "aws_endpoint_url")
    @classmethod
    def _is_http_url(cls, value: str | None) -> str | None:
        if value is not None and not re.match(r"https?://[^/\s]+", value):
            raise ValueError("must be a URL that starts with http:// or https://")
        return value.rstrip("/") if value else value

    @field_validator("s3_bucket")
    @classmethod
    def _is_bucket(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[\w.-]{3,255}|arn:\S+", value, re.ASCII):
            raise ValueError("must be the name of a bucket alone, without s3:// and without a path")
        return value

    @field_validator("mongodb_uri")
    @classmethod
    def _is_mongo_uri(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(("mongodb://", "mongodb+srv://")):
            raise ValueError("must start with mongodb:// or mongodb+srv://")
        return value

    @field_validator("alert_webhook_url")
    @classmethod
    def _is_secret_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not re.match(r"https?://[^/\s]+", value.get_secret_value()):
            raise ValueError("must be a URL that starts with http:// or https://")
        return value

    @field_validator("api_rate_limit")
    @classmethod
    def _is_rate(cls, value: str) -> str:
        if not re.fullmatch(r"[1-9]\d{0,6}/(second|minute|hour)", value):
            raise ValueError("must be a number of requests and a time, such as 600/minute")
        return value

    @field_validator("dify_translate_version", "dify_categorize_version")
    @classmethod
    def _is_version(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9-]{1,40}", value):
            raise ValueError("must be letters, digits and dashes, such as 2")
        return value

    @field_validator("translate_to")
    @classmethod
    def _are_languages(cls, value: str) -> str:
        codes = [code.strip() for code in value.split(",")]
        if not all(re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", code) for code in codes):
            raise ValueError(
                "must be the code of a language, such as en, th or zh-Hant, or several with commas"
            )
        return ",".join(dict.fromkeys(codes))

    @field_validator("report_dimensions")
    @classmethod
    def _are_attributes(cls, value: str) -> str:
        names = [name.strip() for name in value.split(",") if name.strip()]
        taken = sorted(set(names) & set(FIXED_DIMENSIONS))
        if taken:
            raise ValueError(f"{taken[0]} is a dimension of every report: leave it out")
        return ",".join(dict.fromkeys(names))

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("enable_gpu", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return str(value).lower() if isinstance(value, str | bool) else value

    @field_validator("sweep_interval_hours")
    @classmethod
    def _divides_a_day(cls, value: int) -> int:
        if value not in (1, 2, 3, 4, 6, 8, 12, 24):
            raise ValueError("must be 1, 2, 3, 4, 6, 8, 12 or 24")
        return value

    @field_validator("s3_prefix")
    @classmethod
    def _bare_prefix(cls, value: str) -> str:
        return value.strip("/")

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if not self.parquet_storage_enabled and not self.s3_enabled:
            raise ValueError(
                "PARQUET_STORAGE_ENABLED=false leaves no lake: set S3_ENABLED=true, or allow local "
                "Parquet again"
            )
        if self.s3_enabled and not self.s3_bucket:
            raise ValueError("S3_BUCKET must be set when S3_ENABLED=true")
        if (self.aws_access_key_id is None) != (self.aws_secret_access_key is None):
            raise ValueError(
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together, or both left "
                "empty for the default credential chain"
            )
        self._check_dify()
        if self.source_kind == "nocodb":
            needed = ("nocodb_base_url", "nocodb_api_token", "nocodb_project_id")
            missing = [name.upper() for name in needed if getattr(self, name) is None]
            if missing:
                raise ValueError(f"reading NocoDB needs {', '.join(missing)}")
        return self

    def _check_dify(self) -> None:
        names = ("dify_api_key", "dify_translate_api_key", "dify_categorize_api_key")
        given = [name.upper() for name in names if getattr(self, name) is not None]
        if given and self.dify_base_url is None:
            raise ValueError(f"{given[0]} needs DIFY_BASE_URL, the address of Dify's API with /v1")
        if self.dify_base_url is not None and not given:
            raise ValueError("DIFY_BASE_URL needs the API key of an app, such as DIFY_API_KEY")

    @property
    def source_kind(self) -> Literal["nocodb", "files"]:
        """Where conversations come from; `auto` means NocoDB as soon as its URL is set."""
        if self.source == "auto":
            return "nocodb" if self.nocodb_base_url else "files"
        return self.source

    @property
    def translation_targets(self) -> tuple[str, ...]:
        """The languages that TRANSLATE_TO names."""
        return tuple(self.translate_to.split(","))

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The attributes that REPORT_DIMENSIONS names."""
        return tuple(self.report_dimensions.split(",")) if self.report_dimensions else ()

    @property
    def confusion_files(self) -> tuple[Path, ...]:
        """The files that LABEL_CONFUSION_FILES names."""
        names = (name.strip() for name in self.label_confusion_files.split(","))
        return tuple(Path(name) for name in names if name)

    def dify_key(self, purpose: DifyPurpose) -> tuple[str, SecretStr] | None:
        """Name and value of the API key for a purpose, if there is one.

        An app has one workflow, so DIFY_API_KEY is for one purpose: translations.
        """
        common = ("dify_api_key",) if purpose == "translate" else ()
        for name in (f"dify_{purpose}_api_key", *common):
            key: SecretStr | None = getattr(self, name)
            if key is not None:
                return name.upper(), key
        return None

    @property
    def llm_scope(self) -> Literal["conversations", "messages", "all"] | None:
        """What an LLM is asked to label; null if it is nothing or there is no key for it."""
        scope = self.categorize_with_llm
        return None if scope == "none" or self.dify_key("categorize") is None else scope

    @cached_property
    def calendar(self) -> DayCalendar:
        """The local days that have partitions."""
        return DayCalendar(self.analytics_timezone, self.partitions_start_date)

    @property
    def workers(self) -> int:
        """Worker processes; 1 means in this process."""
        if not self.enable_multithreading:
            return 1
        return min(self.processing_threads, self.max_workers)


def load_settings(env_file: str | Path | None = ".env", **overrides: Any) -> Settings:
    """Read and validate the settings.

    Args:
        env_file: file of ``NAME=value`` lines below the environment; null for none.
        overrides: field values that win over both, for tests and notebooks.

    Raises:
        SettingsError: names every wrong variable, its value (unless secret) and what is allowed.
    """
    try:
        return Settings(_env_file=env_file, **overrides)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None


# Where pydantic says what it could not do rather than what is allowed.
_ALLOWED = {
    "bool_parsing": "must be true or false",
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
    "decimal_parsing": "must be a number",
    "date_from_datetime_parsing": "must be a date such as 2024-01-01",
    "date_from_datetime_inexact": "must be a date such as 2024-01-01",
}
_URL_PASSWORD = re.compile(r"//[^/@\s]*@")


def _explain(error: ValidationError) -> str:
    """One line a problem: variable, value, what is allowed."""
    lines = []
    for problem in error.errors():
        reason = _ALLOWED.get(problem["type"], problem["msg"].removeprefix("Value error, "))
        if not problem["loc"]:
            lines.append(reason)
            continue
        name = str(problem["loc"][0])
        secret = Settings.model_fields[name].annotation == SecretStr | None
        value = "(not shown)" if secret else _URL_PASSWORD.sub("//***@", repr(problem["input"]))
        lines.append(f"{name.upper()}={value}: {reason}")
    return "settings: " + "; ".join(lines)
