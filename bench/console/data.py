"""What the console of a grown account shows: broadcasts of every state, people, papers, log.

Everything goes through the product's own layers, but for what would take hours there: the audit
log's entries are sealed by the product and written together, and sent broadcasts are put down as
sent.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from argon2 import PasswordHasher

from bench.console import sent
from bench.push.city import ACCOUNT, DISTRICTS, NAMES, TOPICS, City, openid_of
from bench.senders import DATA, TEMPLATE
from domain.access import EVERYWHERE, ROLES, OperatorAccount, Role
from domain.audience import AllOf, Bound, Got, Not, OnTopic, Tagged
from domain.audit import Actor, draft
from domain.authors import operator_author
from domain.broadcast import Audience
from domain.figures import days_until, minute_of
from domain.ids import BroadcastId, OpenId, RegionCode, TopicId
from domain.incident import Condition
from domain.ledger import Delivery, Totals
from domain.masking import IdentityNumber, PersonName, Plate
from domain.people import Bindings, Person, Place, RealName, Vehicle
from domain.rights import SEPARATE
from domain.template_form import TemplateForm
from push.orders import BroadcastOrder
from storage.mongo.hashing import PasswordHashes
from storage.mongo.operators import MongoOperators

PASSWORD = "correct-horse-battery-1"
AUTHOR = operator_author("0123456789abcdef", "拟稿人")
RARE = "老兵"  # a tag of the last few of the account
EACH, EACH_SMALL = 60, 3  # broadcasts of a state
ENTRIES, ENTRIES_SMALL = 30_000, 200
OPERATORS, OPERATORS_SMALL = 150, 3


@dataclass(slots=True, kw_only=True)
class Stock:
    """What there is to look at: the parts of addresses, and who looks."""

    big: BroadcastId  # to everybody: sending at first, finished after `sent.finish`
    review: BroadcastId
    plan: BroadcastId
    follower: OpenId
    template: tuple[str, str]
    operator: str
    entries: int
    drafts: dict[str, BroadcastId] = field(default_factory=dict)  # by what their audience is
    people: dict[Role, OperatorAccount] = field(default_factory=dict)


async def furnish(city: City) -> Stock:
    """Fill the account."""
    small = city.is_small
    people = await _operators(city, OPERATORS_SMALL if small else OPERATORS)
    await _figures(city)
    await _papers(city)
    await _log(city, ENTRIES_SMALL if small else ENTRIES)
    follower = OpenId(openid_of(city.plan.people - 1))
    review, plan = await _broadcasts(city, EACH_SMALL if small else EACH, follower)
    big = await sent.begin(city)
    drafts = await _drafts(city, big)
    await _people(city)
    await city.ctx.topic_numbers.tick()
    await city.ctx.reports.tick()
    return Stock(
        big=big,
        review=review,
        plan=plan,
        follower=follower,
        template=("template", TEMPLATE),
        operator=people["editor"].id,
        entries=ENTRIES_SMALL if small else ENTRIES,
        drafts=drafts,
        people=people,
    )


def order(audience: Audience, title: str, **more: datetime | str | None) -> BroadcastOrder:
    """Return an order of the bench's own template."""
    base = BroadcastOrder(
        account=ACCOUNT,
        title=title,
        topic=TopicId(TOPICS[0]),
        audience=audience,
        template="outage_notice",
        data={name: DATA[key] for key, name in NAMES.items()},
    )
    return replace(base, **more)  # type: ignore[arg-type]


# --- broadcasts ---------------------------------------------------------------------------------


async def _broadcasts(city: City, each: int, follower: OpenId) -> tuple[BroadcastId, BroadcastId]:
    """Make broadcasts of every state; returns one in review and one that recurs."""
    ctx, now = city.ctx, city.ctx.clock.now()
    few, later = Audience(tags=("paced",)), now + timedelta(days=2)
    for number in range(each):
        await ctx.drafts.save(order(few, f"草稿 {number}"), author=AUTHOR)
        scheduled = await ctx.broadcasts.create(
            order(few, f"定时通知 {number}", at=later), author=AUTHOR, publish=True
        )
        if number % 3 == 1:
            await ctx.broadcasts.pause(scheduled.id, ACCOUNT, reason="等待确认")
        if number % 3 == 2:
            await ctx.broadcasts.cancel(scheduled.id, ACCOUNT, reason="不再需要")
        review = await ctx.broadcasts.create(
            order(few, f"待审核 {number}"), author=AUTHOR, publish=False
        )
        if number % 3 == 1:
            await ctx.approvals.reject(
                review.id, ACCOUNT, by="operator:op_1:审核员", revision=1, reason="请写明路段"
            )
        await _finished(city, number, follower)
    review = await ctx.broadcasts.create(
        order(Audience(all=True), "待审核：全市停水通知"), author=AUTHOR, publish=False
    )
    await ctx.approvals.comment(review.id, ACCOUNT, by=AUTHOR, text="请尽快审核")
    plan = await ctx.broadcasts.create(
        order(few, "每日提醒", cron="0 9 * * *"), author=AUTHOR, publish=True
    )
    return review.id, plan.id


async def _finished(city: City, number: int, follower: OpenId) -> None:
    """Put down a small broadcast as sent to a hundred people and to one who gets them all."""
    ctx, now = city.ctx, city.ctx.clock.now()
    at = now - timedelta(days=number % 28, minutes=number)
    made = await ctx.broadcasts.create(
        order(Audience(tags=("s0",)), f"停水通知 {number}", at=now + timedelta(days=1)),
        author=AUTHOR,
        publish=True,
    )
    people = [*(OpenId(openid_of(number * 100 + place)) for place in range(100)), follower]
    await ctx.stores.deliveries.record(
        ACCOUNT,
        made.id,
        None,
        [Delivery(openid=one, state="sent", at=at, channel="template") for one in set(people)],
    )
    begun = {"state": "sending", "started_at": at, "created_at": at, "fanout": {"open": True}}
    await ctx.stores.database["broadcasts"].update_one({"_id": made.id}, {"$set": begun})
    totals = Totals(people=len(set(people)), sent=len(set(people)))
    assert await ctx.stores.broadcasts.close(made.id, totals, finished_at=at)


async def _drafts(city: City, big: BroadcastId) -> dict[str, BroadcastId]:
    """Keep drafts whose audiences cost most to count, or least."""
    water, power = TopicId(TOPICS[0]), TopicId(TOPICS[1])
    district = RegionCode(DISTRICTS[0])
    rule = AllOf((OnTopic(power), Not(Tagged("s0")), Not(Bound("vehicle"))))
    shapes = {
        "everybody": Audience(all=True),
        "a topic": Audience(topics=(water,)),
        "topic and district": Audience(topics=(power,), regions=(district,)),
        "topic, district and tag": Audience(topics=(power,), regions=(district,), tags=("s1",)),
        "a rare tag and a topic": Audience(topics=(water,), tags=(RARE,)),
        "a rule": Audience(all=True, rule=rule),
        "who did not get the big one": Audience(all=True, rule=Not(Got(big))),
    }
    return {
        name: (await city.ctx.drafts.save(order(audience, name), author=AUTHOR)).id
        for name, audience in shapes.items()
    }


# --- people -------------------------------------------------------------------------------------


async def _people(city: City) -> None:
    """Bind everything to the last few people of the account, and give them a rare tag."""
    now, region = city.ctx.clock.now(), RegionCode(DISTRICTS[3])
    bindings = Bindings(
        vehicles=(
            Vehicle(
                id="vh_1", plate=Plate("粤B12345"), plate_type="02", digits="889911", bound_at=now
            ),
        ),
        places=(Place(id="pl_1", label="home", region=region, street="园岭一街8号", bound_at=now),),
        real_name=RealName(
            name=PersonName("王小明"),
            id_number=IdentityNumber("110101199003078515"),
            notice_version="2026-1",
            consented_at=now,
        ),
    )

    def change(person: Person) -> Person:
        tags = (*person.subscriber.tags, RARE)
        return replace(person, subscriber=replace(person.subscriber, tags=tags), bindings=bindings)

    for number in range(city.plan.people - 5, city.plan.people):
        openid = OpenId(openid_of(number))
        await city.ctx.stores.people.edit(ACCOUNT, openid, change)
        await city.ctx.stores.consents.accepted(ACCOUNT, openid, TEMPLATE, event="e", at=now)


async def _operators(city: City, more: int) -> dict[Role, OperatorAccount]:
    """Create somebody with each role, and more editors."""
    quick = PasswordHashes(PasswordHasher(1, 64, 1))  # nobody signs in with these passwords
    operators = MongoOperators(city.ctx.stores.database, quick)
    now, people = city.ctx.clock.now(), {}
    for role in ROLES:
        where = EVERYWHERE if role in SEPARATE else ACCOUNT
        made = await operators.create(f"王芳{role}", {where: frozenset({role})}, PASSWORD, now=now)
        people[role] = await operators.get(made)
    for number in range(more):
        await operators.create(f"李敏{number}", {ACCOUNT: frozenset({"editor"})}, PASSWORD, now=now)
    return people


# --- papers and numbers -------------------------------------------------------------------------


async def _figures(city: City) -> None:
    """Put down a day by the minute and a month by the day."""
    store, now = city.ctx.stores.figures, city.ctx.clock.now()
    counts = {
        "calls": 900,
        "failed": 2,
        "sent": 400,
        "delivered": 380,
        "q:outage": 40,
        "e:43004": 3,
    }
    minutes = {minute_of(now) - back: counts for back in range(1, 24 * 60)}
    await store.put_minutes(ACCOUNT, minutes)
    for back, day in enumerate(reversed(days_until(now, 30))):
        await store.put_minutes(
            ACCOUNT, {minute_of(day): {"follow": 500, "unfollow": 40, "calls": 90_000}}
        )
        await store.sum_day(ACCOUNT, day)
        await store.put_followers(ACCOUNT, day, city.plan.people - back * 460)


async def _papers(city: City) -> None:
    """Keep menus, templates, keys, incidents."""
    ctx, now = city.ctx, city.ctx.clock.now()
    for number in range(30):
        version = await ctx.stores.menus.add_version(
            ACCOUNT, ctx.menus.first, by="李敏", note=f"第 {number} 次", at=now
        )
        await ctx.stores.menus.conclude(ACCOUNT, version)
        await ctx.api_keys.create(ACCOUNT, f"水务集团 {number}", ("notices:write",), now=now)
        title = f"停水通知 {number}"
        id_ = TEMPLATE if number == 0 else f"template-{number}"
        form = TemplateForm(
            channel="template", id=id_, title=title, fields=tuple((key, key) for key in DATA)
        )
        await ctx.stores.template_forms.add(ACCOUNT, form, after=0, at=now)
        condition = Condition(
            kind="broadcast.paused", what=f"paused:{number}", subject=title, account=ACCOUNT
        )
        await ctx.incidents.see(condition, now, tell=False)


async def _log(city: City, entries: int) -> None:
    """Write the audit chain of some months: sealed by the product, inserted together."""
    store, now = city.ctx.stores.audit, city.ctx.clock.now()
    actors = [Actor(id=f"op_{number}", name=f"李敏{number}") for number in range(30)]
    actions = ("broadcast.submit", "broadcast.approve", "subscriber.view", "menu.save", "sign_in")
    previous, documents = "0" * 64, []
    for seq in range(1, entries + 1):
        entry = draft(
            actors[seq % len(actors)],
            actions[seq % len(actions)],
            f"broadcast:bc_{seq // 5:024}",
            account=ACCOUNT,
            remote="10.0.0.1",
            after={"revision": seq % 7},
        ).sealed(
            store.key,
            seq=seq,
            at=(now - timedelta(minutes=5 * (entries - seq))).replace(microsecond=0),
            previous=previous,
        )
        previous = entry.hash
        content = {name: getattr(entry, name) for name in entry.__slots__ if name != "seq"}
        documents.append({"_id": seq, **content})
    for part in range(0, entries, 5_000):
        await city.ctx.stores.database["audit"].insert_many(documents[part : part + 5_000])
    await city.ctx.audit.record(Actor(id="bench", name="bench"), "sign_in", "operator:bench")
