"""MongoDB and Redis: new enough, set up so that nothing is lost, and with the right time."""

from datetime import datetime

from console.checks.finding import Finding, about_time
from domain.sentence import Sentence
from storage.facts import MongoFacts, RedisFacts

OLDEST_MONGO = (6, 0)
OLDEST_REDIS = (6, 2)


def check_mongo(facts: MongoFacts, now: datetime) -> Finding:
    """Judge what MongoDB says of itself."""
    version = facts.version
    if _version(version) < OLDEST_MONGO:
        return Finding(
            about="MongoDB",
            verdict="bad",
            detail=f"version {version}",
            remedy="upgrade it to 6.0 or newer",
            say=Sentence("MongoDB 版本为 {version}，太旧", version=version),
            do=Sentence("升级到 6.0 或更新的版本。"),
        )
    return about_time("MongoDB", f"version {version}", f"MongoDB {version}", facts.now, now)


def check_redis(facts: RedisFacts, now: datetime) -> Finding:
    """Judge what Redis says of itself."""
    version = facts.version
    if _version(version) < OLDEST_REDIS:
        return Finding(
            about="Redis",
            verdict="bad",
            detail=f"version {version}",
            remedy="upgrade it to 6.2 or newer",
            say=Sentence("Redis 版本为 {version}，太旧", version=version),
            do=Sentence("升级到 6.2 或更新的版本。"),
        )
    if not facts.is_master:
        return Finding(
            about="Redis",
            verdict="bad",
            detail="it is a replica",
            remedy="let redis.url name the master",
            say=Sentence("连接的 Redis 是从节点"),
            do=Sentence("把设置 redis.url 改为主节点的地址。"),
        )
    if facts.evicts:
        return Finding(
            about="Redis",
            verdict="bad",
            detail=f"evicts keys when full ({facts.evicts})",
            remedy="set `maxmemory-policy noeviction`",
            say=Sentence("Redis 存满时会丢弃数据（{evicts}）", evicts=facts.evicts),
            do=Sentence("把 maxmemory-policy 设为 noeviction。"),
        )
    clock = about_time("Redis", f"version {version}", f"Redis {version}", facts.now, now)
    if clock.verdict == "good" and not facts.keeps_over_restart:
        return Finding(
            about="Redis",
            verdict="note",
            detail=f"version {version}, keeps nothing over a restart",
            remedy="set `appendonly yes` in its configuration",
            say=Sentence("Redis {version} 重启后不保留数据", version=version),
            do=Sentence("在它的配置中设 appendonly yes。"),
        )
    return clock


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
