"""Every setting of the service, in one frozen table, read from the environment."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.budget import Budget

DEFAULT_BUDGET = Budget()


class Settings(BaseSettings):
    """The service's settings; each is read from ``GRADMARK_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="GRADMARK_", env_ignore_empty=True, frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on; the image sets 0.0.0.0.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severity that is logged."
    )
    stop_seconds: int = Field(10, ge=1, description="How long requests in flight may take to finish after SIGTERM.")
    max_body_bytes: int = Field(32 * 1024 * 1024, ge=1, description="Largest request body; a larger one is 413.")
    max_bulk_bytes: int = Field(
        1024**3,
        ge=1,
        description="Largest bulk request, kept in a temporary file while it is read; a larger one is 413.",
    )
    max_numbers: int = Field(
        DEFAULT_BUDGET.numbers,
        ge=1,
        description="Most numbers in a body, in a result and in its intermediates, each; more is 422.",
    )
    max_operations: int = Field(
        DEFAULT_BUDGET.operations,
        ge=1,
        description="Most multiply-adds that one request may take, a step's call counted as 100,000; more is 422.",
    )

    @property
    def budget(self) -> Budget:
        """What one request may hold and do."""
        return Budget(numbers=self.max_numbers, operations=self.max_operations)
