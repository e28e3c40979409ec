"""Field types of templates: what WeChat would refuse is refused before queueing."""

import pytest

from push.field_types import kind_of, problem_with

GOOD = [
    ("thing1", "字" * 20),
    ("thing01", "a-1，。"),
    ("number2", "12.50"),
    ("letter3", "Abc"),
    ("symbol4", "￥%&"),
    ("character_string5", "AB-12/3 x"),
    ("time6", "15:01"),
    ("time6", "2019年10月1日 15:01"),
    ("time6", "2026-12-01 09:00"),
    ("time6", "2023年11月15日 08:00~12:00"),
    ("date7", "2019-10-01"),
    ("date7", "2019年10月1日~2019年10月7日"),
    ("amount8", "¥100.00"),
    ("amount8", "-100.5元"),
    ("amount8", "200元"),
    ("phone_number9", "+86-0766-66888866"),
    ("car_number10", "粤B12345"),
    ("car_number10", "粤BD12345"),
    ("name11", "买买提·阿不都"),
    ("name11", "John O'Neil"),
    ("phrase12", "已受理"),
    ("const13", "甲类"),
    ("keyword1", "旧模板的内容可以更长一些，超过二十个字也可以"),
]
BAD = [
    ("thing1", "字" * 21),
    ("thing1", ""),
    ("thing1", "   "),
    ("thing1", "a\nb"),
    ("thing1", "停水😀"),
    ("number2", "12a"),
    ("letter3", "A1"),
    ("symbol4", "!!!!!!"),
    ("character_string5", "编号1"),
    ("character_string5", "1" * 33),
    ("time6", "明天"),
    ("time6", "25:00"),
    ("time6", "2019-13-01 15:01"),
    ("date7", "15:01"),
    ("amount8", "约100元"),
    ("amount8", "12345678901"),
    ("phone_number9", "1" * 18),
    ("car_number10", "粤B1234567"),
    ("name11", "一二三四五六七八九十一"),
    ("name11", "张3"),
    ("phrase12", "已经受理了吗"),
    ("phrase12", "ok"),
    ("keyword1", "x" * 201),
]


@pytest.mark.parametrize(("key", "value"), GOOD)
def test_what_fits_is_taken(key: str, value: str):
    assert problem_with(key, value) is None


@pytest.mark.parametrize(("key", "value"), BAD)
def test_what_does_not_fit_is_named(key: str, value: str):
    assert problem_with(key, value)


@pytest.mark.parametrize("key", sorted({key for key, _ in GOOD}))
def test_the_example_and_the_length_that_people_are_told_are_true(key: str):
    kind = kind_of(key)

    assert problem_with(key, kind.example) is None
    if kind.longest:
        assert any(problem_with(key, letter * (kind.longest + 1)) for letter in "字A1%")
        fits = [letter for letter in "字A1%" if problem_with(key, letter * kind.longest) is None]
        assert fits or key.startswith("car_number")
