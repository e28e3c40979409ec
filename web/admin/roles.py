"""What roles are called, and what they are for."""

from domain.access import Role
from web.admin.words import mark

ROLE_NAMES: dict[Role, str] = {
    "editor": mark("编辑员"),
    "reviewer": mark("审核员"),
    "publisher": mark("发布员"),
    "desk": mark("坐席"),
    "account_manager": mark("账号管理员"),
    "system_admin": mark("系统管理员"),
    "security_admin": mark("安全管理员"),
    "auditor": mark("审计员"),
}
ROLE_PURPOSES: dict[Role, str] = {
    "editor": mark("拟写和修改群发"),
    "reviewer": mark("审核别人拟写的群发"),
    "publisher": mark("安排、暂停和取消发送"),
    "desk": mark("查询关注者和送达情况"),
    "account_manager": mark("菜单、主题、模板和维护公告"),
    "system_admin": mark("设置和人员；不能兼任其他角色"),
    "security_admin": mark("授权和动态口令；不能兼任其他角色"),
    "auditor": mark("查阅审计记录；不能兼任其他角色"),
}
