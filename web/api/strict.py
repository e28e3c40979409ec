"""What all requests of the API have in common: they are read strictly."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Strict(BaseModel):
    """No guessing: a number is not a text, and a misspelt field is an error."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
