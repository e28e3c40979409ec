"""The typed list of all departments (委办局) the service can ask."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import aiohttp

from config.settings import DepartmentSettings
from connectors import (
    housing_fund,
    medical_insurance,
    social_insurance,
    traffic,
    utilities,
)
from connectors.http import Department, DepartmentClient
from connectors.watch import Watch
from domain.clock import Clock
from domain.errors import ConfigError

# departments that only tell news: `connectors.news` reads their feeds
TELLING = ("weather", "prices", "transit", "enterprise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Departments:
    """One field per department: what handlers ask."""

    social: social_insurance.SocialInsuranceOffice
    medical: medical_insurance.MedicalInsuranceBureau
    fund: housing_fund.HousingFundCentre
    traffic: traffic.TrafficPolice
    utilities: utilities.Utilities


def open_departments(
    http: aiohttp.ClientSession,
    settings: Mapping[str, DepartmentSettings],
    clock: Clock,
    watch: Watch | None = None,
) -> Departments:
    """Build a client for each department; one without settings answers with its hotline.

    Raises `ConfigError` for settings of a department that nobody asks: a misspelt name.
    """
    known = [*(field.name for field in fields(Departments)), *TELLING]
    for key in settings:
        if key not in known:
            raise ConfigError(
                f"departments.{key} is not a known department; correct it in the settings "
                f"(known: {', '.join(known)})"
            )

    def client(department: Department) -> DepartmentClient:
        return DepartmentClient(http, department, settings.get(department.key), clock, watch=watch)

    return Departments(
        social=social_insurance.HttpSocialInsuranceOffice(client(social_insurance.DEPARTMENT)),
        medical=medical_insurance.HttpMedicalInsuranceBureau(client(medical_insurance.DEPARTMENT)),
        fund=housing_fund.HttpHousingFundCentre(client(housing_fund.DEPARTMENT)),
        traffic=traffic.HttpTrafficPolice(client(traffic.DEPARTMENT)),
        utilities=utilities.HttpUtilities(
            {name: client(company) for name, company in utilities.DEPARTMENTS.items()}, clock
        ),
    )
