"""What our names of templates and of their data are called on pages (contract 7)."""

from collections.abc import Mapping

from web.admin.words import mark

TEMPLATES: Mapping[str, str] = {
    "outage_notice": mark("停水停电停气通知"),
    "violation_notice": mark("交通违法提醒"),
    "balance_notice": mark("账户变动提醒"),
    "case_notice": mark("办件进度通知"),
    "alert_notice": mark("预警信息"),
    "reminder_notice": mark("事项提醒"),
}
DATA: Mapping[str, str] = {
    "account": mark("账户"),
    "act": mark("违法行为"),
    "area": mark("影响区域"),
    "balance": mark("余额"),
    "case": mark("办件编号"),
    "change": mark("变动"),
    "due": mark("截止日期"),
    "end": mark("结束时间"),
    "fine": mark("罚款金额"),
    "headline": mark("预警标题"),
    "issuer": mark("发布单位"),
    "level": mark("预警级别"),
    "matter": mark("事项"),
    "note": mark("说明"),
    "place": mark("地点"),
    "plate": mark("车牌号码"),
    "reason": mark("原因"),
    "start": mark("开始时间"),
    "step": mark("办理环节"),
    "time": mark("时间"),
}
