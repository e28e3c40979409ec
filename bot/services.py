"""What a handler may use: a short typed list, and nothing else."""

from dataclasses import dataclass

from config.catalogue import Catalogue
from connectors.departments import Departments
from subscriptions.bindings import BindingService
from subscriptions.service import Subscriptions

from domain.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The doors open to handlers."""

    departments: Departments
    subscriptions: Subscriptions
    bindings: BindingService
    catalogue: Catalogue
    clock: Clock
    public_url: str
    routes_help: tuple[
        tuple[str, str], ...
    ] = ()  # (title, example) of every query service
