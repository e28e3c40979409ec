"""The console's own address: leads to the first thing an operator may see."""

from web.admin.base import AdminPage
from web.admin.navigation import first_address
from web.admin.table import route


class HomePage(AdminPage):
    """`/admin/`: the first page of the first account, else what belongs to no account."""

    async def get(self) -> None:
        for account in (*self.visible_accounts, None):
            address = first_address(self, account)
            if address:
                self.redirect(address)
                return
        self.page("admin/home.html")


routes = (route(r"/admin/", HomePage, "home", get="self"),)
