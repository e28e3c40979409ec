"""Calls out: template messages a second, by our client and by others."""

import json

from bench.plan import Plan
from bench.processes import free_port, output_of, server
from bench.report import Row, Sample, Section, ratio

# who, what it is called, roughly how many a second (to fill the time)
_CONTENDERS = (
    ("bare", "aiohttp, nothing around it", 12_000),
    ("ours", "WeChatApi.send_template", 11_000),
    ("wechatpy", "wechatpy, 32 threads", 1_800),
)


async def measure(plan: Plan) -> Section:
    """Let every sender send to a platform that accepts everything at once."""
    samples: dict[str, list[Sample]] = {who: [] for who, _, _ in _CONTENDERS}
    port = free_port()
    async with server(
        ["-m", "bench.servers.platform", str(port)],
        port=port,
        core=plan.server_core,
        log=plan.folder / "platform.log",
    ):
        for _ in range(plan.rounds):
            for who, _, rate in _CONTENDERS:
                count = max(200, int(rate * plan.seconds))
                output = await output_of(
                    ["-m", "bench.senders", who, str(port), str(count)],
                    core=plan.client_core,
                    seconds=plan.seconds * 10 + 20,
                )
                samples[who].append(Sample(**json.loads(output)))
    return Section(
        name="sends",
        title="Template messages out: one process, one core, an instant platform",
        rows=[Row.of(name, samples[who]) for who, name, _ in _CONTENDERS],
        ratios=[
            ratio("ours / bare aiohttp", samples["ours"], samples["bare"], aim=0.8),
            ratio("ours / wechatpy", samples["ours"], samples["wechatpy"], aim=4.0),
        ],
        checked="every answer's msgid, kept to its last digit",
    )
