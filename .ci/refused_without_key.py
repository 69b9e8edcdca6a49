"""A check for schemathesis: without a key a request is refused, wherever the document says that one is needed."""

from urllib.parse import urlsplit

import schemathesis


@schemathesis.hook
def after_load_schema(ctx: schemathesis.HookContext, schema: schemathesis.BaseSchema) -> None:
    """Refuse a document of a service that is open."""
    operations = [operation for path in schema.raw_schema["paths"].values() for operation in path.values()]
    assert any(operation.get("security") for operation in operations), "no operation of the document needs a key"


@schemathesis.check
def refused_without_key(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[object]
) -> None:
    """Fail where somebody without a key is let in; where a token would do, a form may be refused as well."""
    security = case.operation.definition.raw.get("security")
    if security and case.method.upper() == case.operation.method.upper():
        # a path with % in it is no operation's
        needed = 404 if "%" in urlsplit(response.request.url).path else 401
        refused = range(400, 500) if {} in security else [needed]
        assert response.status_code in refused, f"found status {response.status_code} without a key; needed {needed}"
