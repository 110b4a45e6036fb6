"""Codes are never given twice, whoever asks, and cost hardly any writes."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from unittest import mock

import pytest
from contexts.dossiers.counter import origin
from deployed import on_moto
from shelves import MINISTACK, moto_rack
from shelves import dynamo_rack as rack_on

from chalicelib import runtime
from chalicelib.contexts.dossiers import codes
from chalicelib.eventstore.numbers import BLOCK, Numbers

AT = datetime(2026, 6, 9, 1, tzinfo=UTC)


@pytest.fixture
def configured():
    """A deployment in which some agencies keep the short form."""
    chosen = '{"codes_of": {"000.17.22.Z56": "short", "Z57": "short"}, "notation": "LYK-DEMO"}'
    with on_moto(), mock.patch.dict(os.environ, {"DOSSIERS": chosen}):
        yield


@pytest.fixture(params=["moto", MINISTACK])
def rack(request):
    if request.param == "moto":
        with moto_rack() as made:
            yield made
    else:
        with rack_on(request.getfixturevalue("emulator_client")) as made:
            yield made


def numbers_on(rack):
    """An allocator as one more process has it."""
    return Numbers(rack.dynamodb, rack.shelf.counters)


def test_both_forms_as_the_portal_writes_them(configured):
    assert codes.dossier_code("Z09.20", AT) == "Z09.20-20260609-0000001"
    assert codes.dossier_code("Z56.22.17", AT) == "000.17.22.Z56-260609-0001"
    assert codes.dossier_code("Z57", AT) == "000.00.00.Z57-260609-0001"
    assert codes.dossier_code("Z57", AT) == "000.00.00.Z57-260609-0002"
    assert codes.result_code("Z07") == "KQ.Z07.000001"


def test_the_day_is_hanois(configured):
    night = datetime(2026, 6, 9, 18, tzinfo=UTC)
    assert codes.dossier_code("Z57", night) == "000.00.00.Z57-260610-0001"
    assert codes.dossier_code("Z09", night) == "Z09-20260610-0000001"


def test_each_series_counts_for_itself_and_no_width_is_fixed(configured):
    series = "dossier/Z57/20260609"
    runtime.client("dynamodb").put_item(
        TableName=runtime.table("counters"),
        Item={"name": {"S": series}, "value": {"N": "9999"}},
    )
    assert codes.dossier_code("Z57", AT) == "000.00.00.Z57-260609-10000"
    assert codes.dossier_code("Z58", AT) == "Z58-20260609-0000001"


def test_a_consulting_document_is_named_as_documents_are(configured):
    name = codes.consulting_document("Z09.20", AT)
    assert name.reference == "Z09.20,2026/06/09,1/LYK-DEMO"
    assert codes.consulting_document("Z09.20", AT).number == "2"


def test_ids_are_the_same_when_said_again_and_differ_by_kind():
    asked = origin()
    assert re.fullmatch("[a-z2-7]{26}", codes.new_id("dossier", asked))
    assert codes.new_id("dossier", asked) == codes.new_id("dossier", asked)
    assert codes.new_id("dossier", asked) != codes.new_id("component", asked)
    assert codes.synced_id("Z01-1") != codes.synced_id("Z01-2")


def test_the_check_word_is_the_dossiers_own_and_is_kept_as_a_digest(configured):
    word = codes.check_word("one")
    assert re.fullmatch("[a-z2-7]{8}", word)
    assert word == codes.check_word("one") != codes.check_word("two")
    kept = codes.check_digest("one", word)
    assert word not in kept
    assert kept == codes.check_digest("one", f" {word.upper()} ")
    assert kept != codes.check_digest("two", word)


def test_no_number_twice_from_fifty_threads_of_one_process(rack):
    one = numbers_on(rack)
    rack.calls.clear()
    with ThreadPoolExecutor(50) as threads:
        found = list(threads.map(lambda _: one.take("demo"), range(1_000)))
    assert sorted(found) == list(range(1, 1_001))
    assert rack.calls == ["UpdateItem"] * (1_000 // BLOCK)


def test_no_number_twice_from_many_processes_and_one_write_for_each_block(rack):
    processes = [numbers_on(rack) for _ in range(50)]
    rack.calls.clear()
    with ThreadPoolExecutor(50) as threads:
        takes = threads.map(lambda n: processes[n % 50].take("demo"), range(50 * 30))
        found = list(takes)
    assert len(set(found)) == len(found) == 1_500
    # Thirty numbers for each of them: a block and a half, and what is left of it is skipped.
    assert rack.calls == ["UpdateItem"] * (50 * 2)
    assert max(found) <= 50 * 2 * BLOCK


def test_series_do_not_mix(rack):
    one = numbers_on(rack)
    assert [one.take("a"), one.take("b"), one.take("a")] == [1, 1, 2]
