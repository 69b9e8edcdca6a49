"""The application: routers, error handlers, limits."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.types import Scope

from app import __version__
from app.access.admission import Access
from app.api.cors import add_cors
from app.api.docs import add_documentation
from app.api.error_handlers import add_error_handlers
from app.api.openapi import add_openapi
from app.api.prefix import add_prefix
from app.api.route import OperationRoute
from app.api.routes import add_head, add_shortcut, make_routes
from app.cores import settle
from app.logs import log_loop_error
from app.operations import TAGS
from app.settings import Settings
from app.watch.metrics import Metrics
from app.watch.middleware import Watch
from app.work.computation import JSON_TYPE
from app.work.dispatch import Dispatcher, Place

START_AGAIN_SECONDS = 0.5  # when it is tried again to start processes that could not be started


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the service, by default with settings from the environment."""
    app = FastAPIOffline(
        title="Gradmark",
        summary="Computes, explains and marks gradients.",
        version=__version__,
        license_info={"name": "MIT", "identifier": "MIT"},
        docs_url=None,  # ours says what it loads
        redoc_url=None,
        openapi_tags=TAGS,
        redirect_slashes=False,
        lifespan=_lifespan,
        # its hooks cost each request as much as a small computation, even where nobody has configured them
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.settings = settings or Settings()
    app.state.access = Access(app.state.settings)
    app.state.dispatcher = Dispatcher(app.state.settings)
    app.state.metrics = Metrics(app.state)
    app.state.readiness = "warming up"
    # one flat list: the framework asks each included router twice for a match
    app.router.routes.extend(make_routes())
    add_error_handlers(app)
    add_openapi(app)
    add_documentation(app, app.state.settings.root_path)
    add_head(app)
    # the last that is added is the outermost
    add_shortcut(app)
    add_cors(app, app.state.settings.cors_origins)
    add_prefix(app, app.state.settings.root_path)
    app.add_middleware(Watch, metrics=app.state.metrics)
    return app


def queue_finder(app: FastAPI) -> Callable[[Scope], tuple[str, Place] | None]:
    """Return what finds a request's route and the queue it will wait in, by its head; None where that is not known."""
    settings: Settings = app.state.settings
    dispatcher: Dispatcher = app.state.dispatcher
    routes = [route for route in app.routes if isinstance(route, OperationRoute) and route.operation.body is not None]
    # a template is no path
    paths = {route.path: route.operation for route in routes if not route.param_convertors}
    operations = {prefix + path: paths[path] for path in paths for prefix in ("", settings.root_path)}

    def find_queue(scope: Scope) -> tuple[str, Place] | None:
        operation = operations.get(scope["path"])
        if operation is None or scope["method"] != operation.method:
            return None
        headers = dict(scope["headers"])
        if settings.cors_origins and b"origin" in headers:
            # its reply has to go through the layer that lets a page read it
            return None
        reads = JSON_TYPE if headers.get(b"content-type", b"").startswith(JSON_TYPE.encode("ascii")) else ""
        size = headers.get(b"content-length", b"")
        place = dispatcher.find_place(operation, reads, int(size[:20]) if size.isdigit() else 0)
        return None if place is None else (operation.path, place)

    return find_queue


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    asyncio.get_running_loop().set_exception_handler(log_loop_error)
    app.state.access.warn()
    app.state.readiness = "warming up"
    warming = asyncio.create_task(_warm_up(app))
    yield
    app.state.readiness = "draining"
    # what is not warm by now need not be any more
    warming.cancel()
    await asyncio.to_thread(app.state.dispatcher.stop)


async def _warm_up(app: FastAPI) -> None:
    # for its examples of replies the document runs every handler, and the first product loads BLAS
    await asyncio.to_thread(app.openapi)
    start = app.state.dispatcher.pool.start
    # a signal may come meanwhile
    while app.state.readiness == "warming up" and not await asyncio.to_thread(start):  # noqa: ASYNC110 - it is tried again
        await asyncio.sleep(START_AGAIN_SECONDS)
    await asyncio.to_thread(settle)
    if app.state.readiness == "warming up":
        app.state.readiness = "ready"
