"""The made-up city is one that the importer takes, line by line."""

from bench.population import people, write
from config.catalogue import load_catalogue
from domain.ids import AccountId
from subscriptions.importing import Importer


def test_every_line_can_be_imported_and_the_same_seed_gives_the_same_people(tmp_path):
    importer = Importer(None, load_catalogue())
    write(tmp_path / "people.jsonl", 200)

    lines = (tmp_path / "people.jsonl").read_text(encoding="utf-8").splitlines()

    read = [importer.person(line.encode(), AccountId("city")) for line in lines]
    assert len({subscriber.openid for subscriber, _ in read}) == 200
    assert all(subscriber.active_on for subscriber, _ in read)
    assert any(subjects for _, subjects in read)
    assert lines == list(people(200))
