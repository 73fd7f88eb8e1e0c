"""Ships of a ferry line, and what a controller says of them."""

from datetime import time
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, computed_field

import crdgen


class Fuel(StrEnum):
    DIESEL = "diesel"
    LNG = "lng"


class Engine(BaseModel):
    kind: Literal["engine"]
    fuel: Fuel = Fuel.DIESEL
    kilowatts: int = Field(ge=100, le=20_000)


class Sail(BaseModel):
    kind: Literal["sail"]
    square_metres: crdgen.Float = Field(gt=0.5, alias="squareMetres")


class Departure(BaseModel):
    at: time
    pier: int = Field(ge=1)


class ShipSpec(BaseModel):
    name: str = Field(min_length=1, max_length=40)
    drive: Annotated[Engine | Sail, Field(discriminator="kind")]
    transponder: UUID | None = None
    radio: IPv4Address | IPv6Address
    departures: Annotated[list[Departure], Field(max_length=20)] = []
    decks: dict[int, str] = Field({}, max_length=8)
    crew_roles: set[Literal["captain", "mate", "cook"]] = {"captain", "mate"}


class ShipStatus(BaseModel):
    docked_at: str | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def at_sea(self) -> bool:
        """Whether it is under way."""
        return self.docked_at is None


class Ship(BaseModel):
    """A ship of the line."""

    model_config = ConfigDict(
        json_schema_extra=crdgen.resource(
            group="ferries.example.org", version="v1alpha1", short_names=["sh"], status=True
        )
    )
    spec: ShipSpec
    status: ShipStatus | None = None
