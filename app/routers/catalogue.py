"""The catalogue: what the registries hold."""

from collections.abc import Iterator

from fastapi import APIRouter

from app.json_route import JsonRoute
from app.openapi import problems
from app.schemas.replies import ActivationReply, CatalogueReply, LossReply, QuantityReply
from core.activations import ACTIVATIONS
from core.losses import LOSSES
from core.quantities import is_quantity_template
from core.steps import RULES

router = APIRouter(tags=["catalogue"], route_class=JsonRoute)


@router.get("/v1/catalogue", response_model=CatalogueReply, responses=problems(500))
def read_catalogue() -> CatalogueReply:
    """List the activations, losses and quantities, each with its formula as text and in LaTeX."""
    return CatalogueReply(
        activations=tuple(
            ActivationReply(name=a.name, formula=a.formula, derivative=a.derivative, latex=a.latex, range=a.range)
            for a in ACTIVATIONS.values()
        ),
        losses=tuple(
            LossReply(
                name=loss.name,
                formula=loss.formula,
                derivative=loss.derivative,
                latex=loss.latex,
                targets=loss.targets,
                output_activation=loss.output_activation,
                logarithmic=loss.logarithmic,
            )
            for loss in LOSSES.values()
        ),
        quantities=tuple(_quantities()),
    )


def _quantities() -> Iterator[QuantityReply]:
    for rule in RULES.values():
        if is_quantity_template(rule.output):
            yield QuantityReply(
                id=rule.output, name=rule.quantity, formula=rule.formula, latex=rule.latex, shape=rule.shape
            )
        for by, local in rule.jacobians.items():
            yield QuantityReply(
                id=f"d{rule.output}_d{by}",
                name=f"jacobian_{rule.quantity}_by_{local.by}",
                formula=local.formula,
                latex=local.latex,
                shape=local.shape,
            )
