"""A follower who bound everything there is, for the tests that walk the console's pages."""

from dataclasses import replace

from domain.ids import AccountId, OpenId, RegionCode, TopicId
from domain.masking import IdentityNumber, PersonName, Plate
from domain.people import Bindings, Person, Place, RealName, Subscription, Vehicle
from tests.support.console import Console

CITY = AccountId("city")
ANNA = OpenId("oAnna" + "x" * 23)
SECRETS = ("粤B12345", "王小明", "110101199003078515", "园岭一街8号", "889911")


async def a_follower(console: Console, *tags: str) -> tuple[str, ...]:
    """Bind everything for `ANNA` and return the reference of her page."""
    now = console.ctx.clock.now()
    region = RegionCode("440304")
    bindings = Bindings(
        vehicles=(
            Vehicle(
                id="vh_1",
                plate=Plate(SECRETS[0]),
                plate_type="02",
                digits=SECRETS[4],
                bound_at=now,
            ),
        ),
        places=(Place(id="pl_1", label="home", region=region, street=SECRETS[3], bound_at=now),),
        real_name=RealName(
            name=PersonName(SECRETS[1]),
            id_number=IdentityNumber(SECRETS[2]),
            notice_version="2026-1",
            consented_at=now,
        ),
    )

    def change(person: Person) -> Person:
        water = Subscription(topic=TopicId("outage.water"), region=region)
        subscriber = replace(person.subscriber, tags=tags or ("老年人",), subscriptions=(water,))
        return replace(person, subscriber=subscriber, bindings=bindings)

    await console.ctx.stores.people.edit(CITY, ANNA, change)
    await console.ctx.stores.consents.accepted(CITY, ANNA, "tpl-1", event="e", at=now)
    return (console.ctx.followers.reference(CITY, ANNA),)


SAMPLES = {"subscriber": a_follower, "subscriber-value": a_follower}
