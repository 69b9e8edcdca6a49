"""How the service is, for whoever runs it; `app.api.service` answers, from the application's state."""

from app.operations.operation import Operation
from app.schemas.compute_replies import HealthReply, VersionReply

TAG = {"name": "service", "description": "How the service is, for whoever runs it."}

OPERATIONS = (
    Operation(name="read_live", method="GET", path="/health/live", tag=TAG["name"], reply=HealthReply, problems=(500,)),
    Operation(
        name="read_ready", method="GET", path="/health/ready", tag=TAG["name"], reply=HealthReply, problems=(500, 503)
    ),
    Operation(name="read_version", method="GET", path="/version", tag=TAG["name"], reply=VersionReply, problems=(500,)),
    Operation(name="read_metrics", method="GET", path="/metrics", tag=TAG["name"], problems=(500,)),
)
