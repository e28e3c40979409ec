"""The commands of run.py, as an operator meets them."""

import json
import socket
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from cli.common import new_file
from cli.demo import alone
from cli.main import COMMANDS as COMMANDS_BY_NAME
from cli.main import app, load
from domain.access import EVERYWHERE, OperatorAccount
from domain.errors import ConfigError
from storage.mongo.api_keys import MongoApiKeys
from storage.mongo.operators import MongoOperators
from tests.support.settings import make_settings

COMMANDS = [
    ["serve"], ["demo"], ["sandbox"], ["databases"], ["routes"], ["doctor"],
    ["menu", "publish"], ["menu", "show"], ["admin", "create"], ["apikey", "create"],
    ["admin", "list"], ["admin", "disable"], ["admin", "reset-second-factor"], ["admin", "confirm"],
    ["subscribers", "import"], ["subscribers", "export"], ["subscribers", "history"],
    ["subscribers", "count"], ["backup"], ["restore"],
    ["push", "status"], ["push", "dead"], ["push", "replay"],
    ["push", "resume"],
]  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_an_example(words):
    answer = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"})

    assert answer.exit_code == 0
    assert f"python run.py {' '.join(words)}" in answer.output
    assert "--config" in answer.output


@pytest.mark.parametrize("name", COMMANDS_BY_NAME)
def test_the_list_of_commands_says_what_a_command_says_of_itself(name):
    assert load(name).help.partition("\n")[0] == COMMANDS_BY_NAME[name].says


def test_the_list_of_commands_comes_without_loading_any_of_them():
    asked = "import sys; from cli.main import app; from typer.testing import CliRunner; "
    asked += "CliRunner().invoke(app, ['--help']); "
    asked += "print(sorted({'pymongo', 'tornado', 'aiohttp', 'pydantic'} & set(sys.modules)))"

    done = subprocess.run(
        [sys.executable, "-c", asked], check=True, capture_output=True, text=True, timeout=60
    )

    assert done.stdout.strip() == "[]"


async def test_what_is_wrong_with_the_settings_is_one_sentence(command):
    done = await command("routes", WEIZHENG_PUSH__SPEED="1")

    assert done.code == 2
    assert done.err.startswith("setting push.speed: is not a known setting")
    assert len(done.err.strip().splitlines()) == 1


async def test_an_unreachable_server_is_one_sentence(command, free_port):
    done = await command(
        "apikey", "create", "--account", "city", "--name", "x", "--scopes", "notices:write",
        WEIZHENG_MONGO__URI=f"mongodb://127.0.0.1:{free_port}/?serverSelectionTimeoutMS=100",
    )  # fmt: skip

    assert done.code == 2
    assert done.err.startswith("setting mongo.uri: no MongoDB answers at")
    assert "Traceback" not in done.err


async def test_a_role_that_is_none_is_answered_with_those_there_are(command):
    done = await command("serve", "--roles", "web,mail")

    assert done.code == 2
    assert done.err.strip() == "--roles names mail; choose from web, push, scheduler"


def test_a_second_demo_on_the_same_data_or_port_is_told_what_to_do(tmp_path, free_port):
    settings = make_settings(tmp_path)
    with alone(settings, free_port), pytest.raises(ConfigError, match="a demo runs already"):
        alone(settings, free_port).__enter__()

    with (
        socket.create_server(("127.0.0.1", free_port)),
        pytest.raises(ConfigError, match=f"port {free_port} cannot be listened on"),
    ):
        alone(settings, free_port).__enter__()


def test_what_is_no_file_is_not_imported(tmp_path):
    words = ["subscribers", "import", str(tmp_path), "--account", "city"]

    answer = CliRunner().invoke(app, words)

    assert str(answer.exception) == f"{tmp_path} cannot be read: it is no file; check its name"


def test_half_an_export_does_not_stay(tmp_path):
    def interrupted() -> None:
        with new_file(tmp_path / "half.jsonl", "wb") as sink:
            sink.write(b"{}")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert not (tmp_path / "half.jsonl").exists()


async def test_routes_shows_conversation_and_http(command):
    done = await command("routes")

    assert done.code == 0
    assert "query.outage" in done.out
    assert "/wechat/" in done.out
    assert "/readyz" in done.out


async def test_an_operator_is_created_with_the_password_from_stdin(command, mongo):
    done = await command("admin", "create", "李敏", "--role", "auditor", stdin="a-long-password\n")

    operator = await MongoOperators(mongo).find_by_password("李敏", "a-long-password")
    assert done.code == 0
    assert isinstance(operator, OperatorAccount)
    assert operator.grants == {EVERYWHERE: frozenset({"auditor"})}
    assert "a-long-password" not in done.out + done.err


async def test_an_operator_may_have_two_roles_in_one_account_only(command, mongo):
    roles = ("--role", "editor", "--role", "publisher")

    done = await command(
        "admin", "create", "王芳", *roles, "--account", "city", stdin="a-long-password\n"
    )

    operator = await MongoOperators(mongo).find_by_password("王芳", "a-long-password")
    assert done.code == 0
    assert operator is not None
    assert operator.grants == {"city": frozenset({"editor", "publisher"})}


async def test_nobody_is_created_who_administers_and_audits(command):
    roles = ("--role", "system_admin", "--role", "auditor")

    done = await command("admin", "create", "李敏", *roles, stdin="a-long-password\n")

    assert done.code == 1
    assert "三员分立" in done.err


async def test_a_role_of_the_console_that_is_none_is_refused(command):
    done = await command("admin", "create", "李敏", "--role", "king", stdin="a-long-password\n")

    assert done.code == 2
    assert "choose from editor, reviewer" in done.err


async def test_an_api_key_is_printed_once_and_works(command, mongo):
    scopes = "broadcasts:write,notices:write"

    done = await command(
        "apikey", "create", "--account", "city", "--name", "水务", "--scopes", scopes
    )

    key = await MongoApiKeys(mongo).find(done.out.strip(), now=datetime.now(UTC))
    assert done.code == 0
    assert key is not None
    assert (key.account, key.name, sorted(key.scopes)) == ("city", "水务", scopes.split(","))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--account", "city", "--scopes", "everything"], "--scopes names everything"),
        (["--account", "town", "--scopes", "notices:write"], "there is no account 'town'"),
    ],
)
async def test_a_key_for_what_is_not_there_is_refused(command, arguments, said):
    done = await command("apikey", "create", "--name", "x", *arguments)

    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize("name", ["", " ", "x" * 41, "water\x1b[31m"])
def test_a_key_is_for_somebody_whose_name_can_be_read(name):
    words = ["apikey", "create", "--account", "city", "--scopes", "notices:write", "--name", name]

    answer = CliRunner().invoke(app, words)

    assert str(answer.exception).startswith("--name is 1 to 40 printable characters")


async def test_the_menu_is_published_and_shown(command):
    before = await command("menu", "show", "--account", "city")
    published = await command("menu", "publish", "--account", "city")
    after = await command("menu", "show", "--account", "city")

    assert "city has no menu" in before.out
    assert published.code == 0
    assert [button["name"] for button in json.loads(after.out)["button"]] == [
        "查询",
        "我的",
        "互动办事",
    ]


async def test_a_refused_menu_is_one_sentence(command):
    done = await command(
        "menu", "publish", "--account", "city", WEIZHENG_ACCOUNTS__0__APP_SECRET="no"
    )

    assert done.code == 2
    assert "WeChat does not do it for account city" in done.err


async def test_subscribers_go_in_and_come_out_again(command, tmp_path):
    people = tmp_path / "people.jsonl"
    lines = [
        {
            "openid": f"o-cli-{number}", "topics": ["outage.water"], "region": "440305",
            "tags": ["old"],
            "subjects": [{"kind": "vehicle", "value": "粤B12345", "plate_type": "02"}],
        }
        for number in range(3)
    ]  # fmt: skip
    text = [json.dumps(line, ensure_ascii=False) for line in lines]
    people.write_text("\n".join([*text[:1], "{not json", *text[1:]]) + "\n", encoding="utf-8")

    taken = await command("subscribers", "import", str(people), "--account", "city")
    given = await command("subscribers", "export")

    assert taken.code == 0
    assert "line 2: not JSON" in taken.err
    assert "4 lines: 3 imported, 1 skipped" in taken.err
    assert [json.loads(line) for line in given.out.splitlines()] == lines
    assert '"audit.read"' in given.err
    assert "o-cli-" not in given.err

    rule = tmp_path / "rule.json"
    rule.write_text('{"and": [{"topic": "outage.water"}, {"not": {"tag": "staff"}}]}')
    counted = await command("subscribers", "count", "--rule", str(rule), "--account", "city")
    wrong = await command("subscribers", "count", "--rule", '{"or": [{"tags": 1}]}')

    assert (counted.code, counted.out.strip()) == (0, "3")
    assert "faces: 3 index entries and 0 documents examined" in counted.err
    assert wrong.code == 2
    assert "or.0.tags" in wrong.err

    never_sent = await command("subscribers", "count", "--rule", '{"not": {"got": "bc_none"}}')
    rule.write_bytes(b"\xff")
    no_text = await command("subscribers", "count", "--rule", str(rule))

    assert never_sent.code == no_text.code == 2
    assert "bc_none" in never_sent.err
    assert no_text.err.strip().endswith("the file is not UTF-8 text; give JSON")


async def test_an_export_does_not_overwrite_a_file(command, tmp_path):
    (tmp_path / "there").write_text("something")

    done = await command("subscribers", "export", str(tmp_path / "there"))

    assert done.code == 2
    assert "name a new file" in done.err


async def test_a_backup_is_written_and_brought_back(command, mongo, tmp_path):
    await mongo.people.insert_one({"_id": "then"})

    written = await command("backup", str(tmp_path / "backup"))
    await mongo.people.insert_one({"_id": "since"})
    refused = await command("restore", str(tmp_path / "backup"))
    restored = await command("restore", str(tmp_path / "backup"), "--replace")

    assert written.code == 0
    assert "1 documents of 1 collections written to" in written.out
    assert refused.code == 2
    assert restored.code == 0
    assert await mongo.people.distinct("_id") == ["then"]


async def test_without_dead_batches_the_list_says_so_and_a_replay_names_nothing(command):
    listed = await command("push", "dead", "--account", "city")
    replayed = await command("push", "replay", "bc_nothing:1")
    resumed = await command("push", "resume", "--account", "city")

    assert (resumed.code, resumed.out.strip()) == (0, "no notice or digest is paused")
    assert (listed.code, listed.out.strip()) == (0, "no batch is dead")
    assert replayed.code == 1
    assert replayed.err.strip() == (
        "there is no broadcast bc_nothing: `push dead` lists the batches that can be replayed"
    )
