r"""The control API: everything a test or a demo does to the sandbox, as JSON over HTTP.

All are `POST /sandbox/control/<verb>` with a JSON object, except the reads at the end.
`account` may be left out (then it is the first account). Errors are `{"error": "…"}` with 400,
404 (account, verb) or 409 (the citizen cannot do that now).

What a citizen does; each needs `openid`, waits for the service's reply and answers
`{"reply": {"kind": "text", "text": "…"}, "deliveries": 1, "milliseconds": 3.1,
"raw": {"push", "reply", "push_sent", "reply_received"}, "event", "seq"}`.
`reply.kind` is `none`, a kind of reply (`text`, `news`, …) or `notice`, the failure notice with
its `reason`. An openid never heard of belongs to somebody who follows already; the citizens on
the page begin as strangers.

    follow    {scene?}                      unfollow  {}
    text      {text, menu_id?}              voice     {text?}   without text: no recognition
    image     {url?}                        video     {short?}
    location  {latitude?, longitude?, label?, scale?}
    link      {title, description?, url}    click     {key, name?}
    view      {url, menu_id?, name?}        scan      {scene} or {ticket}
    consent   {template_id or template_ids, answer: accept|reject, scene?} the consent window
              {template_id, manage: true}           rejected on WeChat's management page
    event     {event, fields}               nested objects and lists become nested elements
    message   {kind, fields}                a message of another MsgType
    raw       {xml}                         this text as the message in clear

Each takes `copies` (the same push several times at once), `omit` (members left out),
`extra` (members added) and `bad_signature`.

How WeChat behaves:

    fault     {kind, path?, next?, probability?, skip?, errcode?, detail?, delay?, openid?}
              kinds: errcode html502 cut_before cut_after late slow empty; {clear: true} ends all
    receipts  {enabled?, user_block?, system_failed?, freq_limit?, lost?, early?, duplicate?,
               delay_min?, delay_max?, concurrency?}     shares between 0 and 1
    push      {limit?, retry_pause?, fresh_nonce?, openid_in_query?}
    limits    {path, per_day?, per_minute?}              0 means none
    tokens    {kill: true} (40001) or {expire: true} (42001)
    account   {mode?, encoding_aes_key?, token?, callback_url?, whitelist?, name?}
    template  {id, title?, content} or {id, banned} or {id, remove: true}
    clock     {advance: seconds} | {set: ISO time, stop?: true} | {resume: true}
    followers {add_followers: N, prefix, first?} or {openids: […]}
    state     {openid, state}   stranger follows left muted blacklisted frozen
    traits    {openid, tags, client?}   for conditional menus; client 1 iOS 2 Android 3 other
    citizen   {openid, name, state?}                     a phone on the page
    mass      {refuse_as?}   "err(10001)": the review refuses mass sends; "" accepts them
    forget    {}                                         a new book of sends
    verify    {}                                         the GET check of the callback's address

Reads (GET, query arguments):

    chat      account openid after? wait?   lines later than `after`; waits up to `wait` seconds
    sends     account prefix? detail?       the platform's proof: total, distinct, doubled,
              same_card_twice, repeats, refused, receipts; `detail` = client_msg_id, openid
              (counts of each) or records
    tally     account                       total, repeats, refused, receipts waiting, faults' hits
    notices   account openid? template_id?  subscription notices sent, and a consent
    mass      account                       mass sends, and who got each
    status    account                       clock, menu, citizens, followers, pushes, receipts
"""

import inspect
from typing import Any

import orjson
from tornado.web import RequestHandler

from sandbox import control_reads, control_verbs
from sandbox.accounts import Account
from sandbox.acts import NotPossible
from sandbox.control_body import BadRequest, Body
from sandbox.world import World


class Control(RequestHandler):
    """`/sandbox/control/<verb>`."""

    def initialize(self, world: World) -> None:
        self.world = world

    def check_xsrf_cookie(self) -> None:
        """No cookies here: `prepare` refuses other sites instead."""

    def prepare(self) -> None:
        origin = self.request.headers.get("Origin")
        if origin and origin.split("//")[-1] != self.request.host:
            self._answer({"error": "requests from other sites are refused"}, 403)

    async def get(self, verb: str) -> None:
        """Read something."""
        arguments = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        await self._run(control_reads.READS.get(verb), Body(arguments))

    async def post(self, verb: str) -> None:
        """Do something."""
        try:
            content = orjson.loads(self.request.body or b"{}")
        except orjson.JSONDecodeError as error:
            self._answer({"error": f"the body is not JSON: {error}"}, 400)
            return
        if not isinstance(content, dict):
            self._answer({"error": "the body is not a JSON object"}, 400)
            return
        await self._run(control_verbs.VERBS.get(verb), Body(content))

    async def _run(self, run: control_verbs.Verb | None, body: Body) -> None:
        account = self._account(body)
        if run is None or account is None:
            what = "verb" if run is None else "account"
            self._answer({"error": f"there is no such {what}; see sandbox/control.py"}, 404)
            return
        try:
            answer = run(self.world, account, body)
            if inspect.isawaitable(answer):
                answer = await answer
        except BadRequest as error:
            self._answer({"error": str(error)}, 400)
        except NotPossible as error:
            self._answer({"error": str(error)}, 409)
        else:
            self._answer(answer)

    def _account(self, body: Body) -> Account | None:
        name = body.text("account", "")
        if not name:
            return next(iter(self.world.accounts.values()), None)
        return self.world.accounts.get(name)

    def _answer(self, content: Any, status: int = 200) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(orjson.dumps(content))
