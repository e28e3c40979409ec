"""The account's templates (模板): each mapped one exists on WeChat and its keys fit."""

from collections.abc import Iterator, Mapping

from config.settings import AccountSettings, TemplateSettings
from connectors.wechat.answers import TemplateInfo
from connectors.wechat.api import WeChatApi
from console.checks.finding import Finding
from domain.sentence import Sentence, joined


async def check_templates(api: WeChatApi, account: AccountSettings) -> list[Finding]:
    """Compare the settings with what the account has; `SendFailed` travels up."""
    about = f"account {account.id}"
    known = {template.template_id: template for template in await api.templates()}
    agreed = await api.notice_templates() if account.subscription_templates else []
    findings: list[Finding] = []
    for name, template in account.templates.items():
        findings += _template(about, f"accounts.templates.{name}", template, known)
    notices = {template.template_id: template for template in agreed}
    for name, notice in account.subscription_templates.items():
        where = f"accounts.subscription_templates.{name}"
        findings += _template(about, where, notice, notices)
        found = notices.get(notice.id)
        if found is not None and found.consent not in (None, notice.kind):
            findings.append(
                Finding(
                    about=about,
                    verdict="bad",
                    detail=f"{where}: kind is {notice.kind}",
                    remedy=f'WeChat asks for kind = "{found.consent}"',
                    say=Sentence(
                        "设置 {where} 的 kind 是 {kind}，微信上是 {consent}",
                        where=where,
                        kind=notice.kind,
                        consent=found.consent,
                    ),
                    do=Sentence('把它的 kind 改为 "{consent}"。', consent=found.consent),
                )
            )
    return findings


def summary(account: AccountSettings) -> Finding:
    """Return what to say when nothing is wrong with the templates."""
    count = len(account.templates) + len(account.subscription_templates)
    return Finding(
        about=f"account {account.id}",
        verdict="good" if count else "note",
        detail=f"{count} template(s) fit" if count else "no template is mapped",
        remedy="" if count else "map this account's templates in the settings",
        say=Sentence("{count} 个模板在微信上都有，字段一致", count=count)
        if count
        else Sentence("没有配置模板，不能群发通知"),
        do="" if count else Sentence("在设置文件的 [accounts.templates.…] 中写明模板编号和字段。"),
    )


def _template(
    about: str, where: str, template: TemplateSettings, known: Mapping[str, TemplateInfo]
) -> Iterator[Finding]:
    """Compare one template of the settings with the account's."""
    if template.id not in known:
        yield Finding(
            about=about,
            verdict="bad",
            detail=f"{where}: the account has no template {template.id}",
            remedy="take its id from the account's console",
            say=Sentence("设置 {where}：公众号没有模板 {id}", where=where, id=template.id),
            do=Sentence("在微信后台的模板库中复制模板编号，写入设置文件。"),
        )
        return
    keys = known[template.id].keys
    differing = sorted(set(keys) ^ set(template.fields))
    if differing:
        yield Finding(
            about=about,
            verdict="bad",
            detail=f"{where}: fields differ: {', '.join(differing)}",
            remedy=f"WeChat wants exactly {', '.join(keys)}",
            say=Sentence(
                "设置 {where}：字段不一致（{differing}）", where=where, differing=joined(differing)
            ),
            do=Sentence("微信上的字段是 {keys}，请在设置文件中写成一样。", keys=joined(keys)),
        )
