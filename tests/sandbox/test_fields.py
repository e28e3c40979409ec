"""Types of template fields, by the table of the platform."""

import pytest

from sandbox.fields import checker


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("thing1", "福田区园岭街道，园岭新村"),
        ("thing01", "字" * 20),
        ("number2", "12.5"),
        ("letter3", "ABC"),
        ("symbol4", "+-*/"),
        ("character_string5", "310000001-A"),
        ("time6", "15:01"),
        ("time6", "2019年10月1日 15:01"),
        ("time6", "2023年11月15日 08:00~12:00"),
        ("time6", "2026-12-01 08:00"),
        ("date7", "2019年10月1日"),
        ("date7", "2019-10-01"),
        ("date7", "2019年10月1日~2019年10月7日"),
        ("date7", "2019年10月1日 15:01"),
        ("amount8", "¥100.05"),
        ("amount8", "100元"),
        ("phone_number9", "+86-0766-66888866"),
        ("car_number10", "粤B12345"),
        ("car_number10", "粤BD12345"),
        ("name11", "陈女士"),
        ("name11", "John Smith"),
        ("phrase12", "橙色预警"),
        ("keyword1", "以前的模板，没有类型" * 5),
    ],
)
def test_fits(key, value):
    assert checker(key)(value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("thing1", "字" * 21),
        ("thing1", "   "),
        ("thing1", "断\n行"),
        ("number2", "十二"),
        ("letter3", "A1"),
        ("symbol4", "a"),
        ("character_string5", "编号1"),
        ("character_string5", "x" * 33),
        ("time6", "25:00"),
        ("time6", "2026-12-01T08:00:00+08:00"),
        ("date7", "2019年13月1日"),
        ("amount8", "100.00.00"),
        ("amount8", "12345678901"),
        ("phone_number9", "1" * 18),
        ("car_number10", "粤B1234567"),
        ("name11", "字" * 11),
        ("phrase12", "I级"),
        ("phrase12", "六个汉字太长"),
        ("keyword1", ""),
    ],
)
def test_does_not_fit(key, value):
    assert not checker(key)(value)
