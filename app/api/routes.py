"""The routes, in the order of the documentation."""

from app.api import catalogue, exercises, forward, grades, gradients, jacobians, service, softmax_layer, steps

ROUTERS = (
    softmax_layer.router,
    forward.router,
    gradients.router,
    jacobians.router,
    steps.router,
    grades.router,
    grades.bulk_router,
    exercises.router,
    exercises.query_router,
    catalogue.router,
    service.router,
)
