"""Triggers (触发规则): departments' news become messages without a person."""
