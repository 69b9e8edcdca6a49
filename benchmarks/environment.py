"""What a measurement runs on and under: one thread each, OpenBLAS as it chooses and as the environment says."""

import multiprocessing
import os
import platform
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from benchmarks.harness import Row

BLAS_CHOICES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""Variables that take OpenBLAS's choice of kernels from it; some environments export them."""

PEERS = ("torch", "jax", "autograd", "fastapi", "uvicorn", "orjson", "pysimdjson")

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # this and no XLA flag is what sizes XLA's pool on CPUs: with --xla_cpu_multi_thread_eigen=false it kept two busy
    "NPROC": "1",
    "JAX_PLATFORMS": "cpu",
    "JAX_ENABLE_X64": "1",
}


def environments() -> dict[str, dict[str, str]]:
    """Return the environments to measure in, by title: without what pins OpenBLAS, and as found if that differs."""
    found = dict(os.environ) | ONE_THREAD
    free = {name: value for name, value in found.items() if name not in BLAS_CHOICES}
    pins = [f"{name}={found[name]}" for name in BLAS_CHOICES if name in found]
    return {"BLAS auto": free} | ({f"BLAS as found, {', '.join(pins)}": found} if pins else {})


def measure_in(environment: Mapping[str, str], subject: str) -> tuple[list[Row], dict[str, str]]:
    """Measure a subject in a process of its own, because BLAS reads its environment once.

    Returns its rows, and which libraries it loaded.
    """
    os.environ.clear()
    os.environ.update(environment)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure, subject).result()


def _measure(subject: str) -> tuple[list[Row], dict[str, str]]:
    rows = []
    for row in import_module(f"benchmarks.{subject}").rows():
        sys.stderr.write(f"{row.what}, beside {row.peer}: {row.ratio:.3g}\n")
        rows.append(row)
    return rows, describe_threads()


def describe_machine() -> str:
    """Describe processor, Python and packages, in a line."""
    packages = ", ".join(f"{name} {text}" for name in ("numpy", *PEERS) if (text := _version(name)))
    return f"{_processor()}, {os.cpu_count()} cores; Python {platform.python_version()}; {packages}"


def describe_threads() -> dict[str, str]:
    """Describe what this process has loaded: NumPy's BLAS with its kernels and threads, and the threads of the rest."""
    # imported here, because the process that collects rows does not need it
    from threadpoolctl import threadpool_info  # noqa: PLC0415 - only measuring processes have it

    facts = {}
    for library in threadpool_info():
        threads = f"threads: {library['num_threads']}"
        if "numpy" in library["filepath"]:
            facts["NumPy's BLAS"] = (
                f"{library['internal_api']} {library['version']}, {library['architecture']} kernels, {threads}"
            )
        else:
            facts[library["internal_api"]] = threads
    if "torch" in sys.modules:
        facts["torch"] = f"threads: {sys.modules['torch'].get_num_threads()}"
    return dict(sorted(facts.items()))


def _processor() -> str:
    fields: Mapping[str, str] = {}
    if sys.platform == "linux":
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - a device, not a path of ours
            fields = dict(part for line in file if len(part := [text.strip() for text in line.split(":", 1)]) == 2)
    kind = " ".join(fields[key] for key in ("vendor_id", "cpu family") if key in fields).replace(" ", " family ", 1)
    widest = next((name for name in ("avx512f", "avx2", "asimd") if name in fields.get("flags", "")), "")
    return " ".join(filter(None, [platform.machine(), f"({kind})" if kind else "", widest]))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
