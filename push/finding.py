"""Finding a broadcast for somebody: another account's does not exist for them."""

from domain.broadcast import Broadcast
from domain.errors import NotFound
from domain.ids import AccountId, BroadcastId
from domain.sentence import Sentence
from storage.mongo.broadcasts import MongoBroadcasts


async def find_for(
    store: MongoBroadcasts, broadcast_id: BroadcastId, account: AccountId | None
) -> Broadcast:
    """Return the broadcast, or raise `NotFound` for any that is not the account's.

    `account` is None for who may see all of them: the engine itself, an operator's command.
    """
    found = await store.find(broadcast_id)
    if found is None or (account is not None and found.account != account):
        raise NotFound(Sentence("没有这个群发任务。"))
    return found
