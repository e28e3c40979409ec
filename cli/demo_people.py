"""The demo's operators (演示人员): one person for each part, with passwords everybody may read.

They are made once; a second start finds them. A person whose password was changed in the demo
keeps the new one.
"""

from domain.access import EVERYWHERE, Grants, Role
from domain.ids import AccountId
from domain.rights import SEPARATE
from runtime.context import AppContext

PASSWORD = "weizheng-demo-{}"  # noqa: S105 - printed on the screen: the demo is for this machine
PEOPLE: tuple[tuple[str, str, tuple[Role, ...]], ...] = (
    ("张编辑", "zhang", ("editor", "publisher")),
    ("李审核", "li", ("reviewer", "publisher")),
    ("周坐席", "zhou", ("desk",)),
    ("王主管", "wang", ("account_manager",)),
    ("赵系统", "zhao", ("system_admin",)),
    ("钱安全", "qian", ("security_admin",)),
    ("孙审计", "sun", ("auditor",)),
)
PARTS = {
    "editor": "编辑员",
    "reviewer": "审核员",
    "publisher": "发布员",
    "desk": "坐席",
    "account_manager": "账号管理员",
    "system_admin": "系统管理员",
    "security_admin": "安全管理员",
    "auditor": "审计员",
}


async def load(ctx: AppContext, account: AccountId) -> None:
    """Make those who are missing."""
    for name, word, roles in PEOPLE:
        if await ctx.stores.operators.find_by_name(name) is None:
            where = EVERYWHERE if SEPARATE.intersection(roles) else account
            grants: Grants = {where: frozenset(roles)}
            await ctx.stores.operators.create(
                name, grants, PASSWORD.format(word), now=ctx.clock.now()
            )


def lines() -> list[str]:
    """Return who may sign in with which password, for the greeting."""
    return [
        f"  {name} {PASSWORD.format(word)}  {'、'.join(PARTS[role] for role in roles)}"
        for name, word, roles in PEOPLE
    ]
