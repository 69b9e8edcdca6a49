"""The page of documentation and the way to it: Swagger UI, its assets in the package, and a policy for those alone."""

import base64
import hashlib
import re

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import RedirectResponse

ASSETS = "static-offline-docs"
"""Where the application serves what is in the package, seen from the page: a proxy may put a prefix before both."""

INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def add_documentation(app: FastAPI, root_path: str) -> None:
    """Add the page to an application that serves its assets, and send people there who open the service itself."""
    page = get_swagger_ui_html(
        openapi_url=str(app.openapi_url).removeprefix("/"),
        title=app.title,
        swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{ASSETS}/favicon.png",
    )
    content = bytes(page.body)
    headers = {"Content-Security-Policy": write_policy(content)}

    @app.get("/docs", include_in_schema=False)
    async def read_documentation() -> Response:
        return Response(content, media_type="text/html", headers=headers)

    # with a prefix in full: from the prefix itself, without a slash at its end, docs would be beside it
    target = f"{root_path}/docs" if root_path else "docs"
    index = orjson.dumps({"name": "gradmark", "documentation": "docs", "openapi": "openapi.json"})

    @app.get("/", include_in_schema=False)
    async def read_index(request: Request) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse(target, status_code=303)
        return Response(index, media_type="application/json")


def write_policy(page: bytes) -> str:
    """Write the content security policy of a page: its own scripts by their digest, what it loads from here alone."""
    digests = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in INLINE_SCRIPT.findall(page)]
    scripts = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src 'self' {scripts}; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
