"""`databases`: the embedded servers in the foreground."""

from cli.common import ConfigFile, run, say, settings_of, until_stopped
from config.logging import set_up_logging
from config.settings import Settings
from domain.errors import ConfigError
from storage.embedded import EMBEDDED, keep_running


def databases(config: ConfigFile = None) -> None:
    """Run the embedded MongoDB and Redis alone, and start again one that dies.

    Other processes with the same storage.data_dir attach to them.

    Example: `python run.py databases`
    """
    set_up_logging()
    run(_databases(settings_of(config)))


async def _databases(settings: Settings) -> None:
    if EMBEDDED not in (settings.mongo.uri, settings.redis.url):
        raise ConfigError(
            "settings mongo.uri and redis.url name servers of your own, so there is nothing to "
            f'run here; write "{EMBEDDED}" for those that this command should run'
        )

    def restarted(program: str) -> None:
        say(f"{program} had died and was started again")

    async with until_stopped() as stopped, keep_running(settings, restarted):
        say(f"databases: running under {settings.storage.data_dir}, Ctrl-C stops them")
        await stopped.wait()
