"""Made-up conversations about things that are told apart by their words."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from conversation_analytics.categorization.discovery.texts import Conversations
from conversation_analytics_tests.builders import Row, conversation, message

SAID = {
    "parcel": "courier delivery late shipping tracking lost arrived doorstep warehouse",
    "password": "login reset forgot locked account verify username security link",
    "invoice": "billing tax amount payment charged receipt total paid monthly",
    "battery": "charging phone overheats drains hours percent cable screen power",
}
THAI = {
    "ตั๋วเครื่องบิน": "เชียงใหม่ สนามบิน เที่ยวบิน จองที่นั่ง กระเป๋า เลื่อนวัน ขาไป ขากลับ",
    "บัตรเครดิต": "วงเงิน ธนาคาร ผ่อนชำระ ดอกเบี้ย อายัด รูดซื้อ แต้มสะสม ใบแจ้งยอด",
    "อินเทอร์เน็ต": "เราเตอร์ ความเร็ว สัญญาณ ติดตั้ง หลุดบ่อย แพ็กเกจ ช่างซ่อม ไฟเบอร์",
    "ประกันรถ": "อุบัติเหตุ เคลม กรมธรรม์ ต่ออายุ อู่ซ่อม คู่กรณี เบี้ย ชั้นหนึ่ง",
}
_FILLERS = {
    "en": "please help me today again thanks can you check since monday this is not good hello",
    "th": "ครับ ค่ะ นะ วันนี้ ช่วยด้วย หน่อย ขอบคุณ จริงๆ สวัสดี สอบถาม อยากรู้ ตอนนี้ ไม่ได้ ทำไม",
}
START = datetime(2026, 1, 1, tzinfo=UTC)


def rows(
    said: dict[str, str] = SAID,
    *,
    each: int = 40,
    language: str = "en",
    first: int = 0,
    users: int = 1_000_000,
) -> list[dict[str, Any]]:
    """So many conversations about each thing, from a number on; the id says what it is about."""
    space = "" if language == "th" else " "
    found = []
    for thing, words in said.items():
        for n in range(first, first + each):
            draw = random.Random(f"{thing}{n}")
            about = [thing, *draw.sample(words.split(), 4)]
            draw.shuffle(about)
            filler = draw.sample(_FILLERS[language].split(), 4)
            found.append(
                {
                    "conversation_id": f"{thing}-{n}",
                    "user_id": f"{thing}-user-{n % users}",
                    "started_at": START + timedelta(hours=n),
                    "text": space.join([*filler[:2], *about, *filler[2:]]),
                    "language": language,
                }
            )
    return found


def conversations(some: list[dict[str, Any]]) -> Conversations:
    schema = pa.schema(
        {
            "conversation_id": pa.string(),
            "user_id": pa.string(),
            "started_at": pa.timestamp("us", "UTC"),
            "text": pa.string(),
            "language": pa.string(),
        }
    )
    return Conversations.of(pa.Table.from_pylist(some, schema))


def exported(some: list[dict[str, Any]], *days: date) -> tuple[list[Row], list[Row]]:
    """The same as rows of a source: conversations, on one day after the other, and messages."""
    dated = [(row, f"{days[n % len(days)]}T10:00:00+00:00") for n, row in enumerate(some)]
    return (
        [conversation(row["conversation_id"], at, user_id=row["user_id"]) for row, at in dated],
        [
            message(f"{row['conversation_id']}:0", row["conversation_id"], at, content=row["text"])
            for row, at in dated
        ],
    )
