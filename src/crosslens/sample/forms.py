"""Which function draws which category."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from crosslens.sample import (
    forms_accessories,
    forms_bags,
    forms_clothing,
    forms_electronics,
    forms_home,
    forms_kitchen,
    forms_shoes,
    forms_sport,
    forms_toys,
)
from crosslens.sample.stage import Stage

Form = Callable[[Stage, Mapping[str, str]], None]

FORMS: Mapping[str, Form] = {
    **forms_clothing.FORMS,
    **forms_accessories.FORMS,
    **forms_shoes.FORMS,
    **forms_bags.FORMS,
    **forms_home.FORMS,
    **forms_kitchen.FORMS,
    **forms_electronics.FORMS,
    **forms_toys.FORMS,
    **forms_sport.FORMS,
}
