"""What a handler may use: a short typed list, and nothing else."""

from dataclasses import dataclass

from config.catalogue import Catalogue
from connectors.departments import Departments
from domain.clock import Clock
from push.history import History
from push.links import Links
from push.receipts import Receipts
from push.results import Results
from subscriptions.bindings import BindingService
from subscriptions.consents import Consents
from subscriptions.service import Subscriptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The doors open to handlers."""

    departments: Departments
    subscriptions: Subscriptions
    bindings: BindingService
    receipts: Receipts
    results: Results
    consents: Consents
    history: History
    links: Links
    catalogue: Catalogue
    clock: Clock
    public_url: str
    routes_help: tuple[tuple[str, str], ...] = ()  # (title, example) of every query service
