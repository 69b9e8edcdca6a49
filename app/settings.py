"""Every setting of the service, in one frozen table, read from the environment."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.blas import DEFAULT_PROCESSES
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
    processes: int = Field(
        DEFAULT_PROCESSES,
        ge=0,
        description="Processes beside the one that serves, for large JSON; with 0 its threads do that work, too.",
    )
    inline_bytes: int = Field(
        64 * 1024, ge=0, description="Largest JSON body that is read on the event loop; a larger one is in a thread."
    )
    inline_operations: int = Field(
        10_000_000,
        ge=0,
        description="Most multiply-adds, about a millisecond's, that are computed on the event loop; more in a thread.",
    )
    process_bytes: int = Field(
        512 * 1024, ge=0, description="Smallest JSON body or reply that is left to a process of its own."
    )
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
