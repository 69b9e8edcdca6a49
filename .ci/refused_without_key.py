"""A check for schemathesis: without a key a request gets 401, wherever the document says that one is needed."""

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
    """Fail where somebody without a key is let in."""
    is_promised = case.method.upper() == case.operation.method.upper()
    if is_promised and case.operation.definition.raw.get("security"):
        assert response.status_code == 401, f"found status {response.status_code} without a key; needed 401"
