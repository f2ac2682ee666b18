-- Decide what becomes of every staged row and on which day it is kept.
--
-- In:  conversations_staged, messages_staged (see staging.py) and elsewhere(conversation_id):
--      conversations known to live on days that were not read.
-- Out: conversations_placed, messages_placed: every staged row once, with
--      day     number of the local day it is kept on; null when it cannot be told
--      fate    represented | soft_deleted | duplicate | quarantined | elsewhere
--      started when the conversation started (conversations only), microseconds
--      own_day number of the day it was made on; null if that is no day of ours

-- A row from before the first day or from the future is out of range.
CREATE OR REPLACE TEMP VIEW conversations_judged AS
SELECT s.* EXCLUDE (reason, detail),
       coalesce(reason, CASE WHEN created NOTNULL AND own_day IS NULL THEN 'out_of_range' END) AS reason,
       CASE WHEN reason IS NULL AND created NOTNULL AND own_day IS NULL
            THEN 'created_at is ' || make_timestamp(created) ELSE detail END AS detail
FROM conversations_staged s;

CREATE OR REPLACE TEMP VIEW messages_judged AS
SELECT s.* EXCLUDE (reason, detail),
       coalesce(reason, CASE WHEN created NOTNULL AND own_day IS NULL THEN 'out_of_range' END) AS reason,
       CASE WHEN reason IS NULL AND created NOTNULL AND own_day IS NULL
            THEN 'created_at is ' || make_timestamp(created) ELSE detail END AS detail
FROM messages_staged s;

-- Of the usable rows of one id the newest wins, the first of equally new ones. Most ids have one
-- row only, which needs no rank.
CREATE OR REPLACE TEMP TABLE conversations_ranked AS
SELECT seq, hash,
       row_number() OVER newest_conversation AS rank,
       first_value(hash) OVER newest_conversation AS kept_hash,
       first_value(coalesce(updated, created)) OVER newest_conversation = coalesce(updated, created) AS same_age
FROM conversations_judged
WHERE reason IS NULL AND id IN (
    SELECT id FROM conversations_judged WHERE reason IS NULL GROUP BY id HAVING count(*) > 1
)
WINDOW newest_conversation AS (PARTITION BY id ORDER BY coalesce(updated, created) DESC NULLS LAST, place);

CREATE OR REPLACE TEMP TABLE messages_ranked AS
SELECT seq, hash,
       row_number() OVER newest_message AS rank,
       first_value(hash) OVER newest_message AS kept_hash,
       first_value(conversation_id) OVER newest_message AS kept_conversation_id,
       first_value(coalesce(updated, created)) OVER newest_message = coalesce(updated, created) AS same_age
FROM messages_judged
WHERE reason IS NULL AND id IN (
    SELECT id FROM messages_judged WHERE reason IS NULL GROUP BY id HAVING count(*) > 1
)
WINDOW newest_message AS (PARTITION BY id ORDER BY coalesce(updated, created) DESC NULLS LAST, place);

-- A conversation starts when the source says so, only if it does not at its first message.
CREATE OR REPLACE TEMP TABLE conversation_days AS
WITH kept AS (
    SELECT id, deleted, created, own_day
    FROM conversations_judged LEFT JOIN conversations_ranked USING (seq)
    WHERE reason IS NULL AND coalesce(rank, 1) = 1
), first_messages AS (
    SELECT conversation_id AS id, min(created) AS first_message, min(own_day) AS first_day
    FROM messages_judged LEFT JOIN messages_ranked USING (seq)
    WHERE reason IS NULL AND coalesce(rank, 1) = 1
      AND conversation_id IN (SELECT id FROM kept WHERE created IS NULL)
    GROUP BY conversation_id
)
SELECT id, deleted, coalesce(created, first_message) AS started, coalesce(own_day, first_day) AS day
FROM kept LEFT JOIN first_messages USING (id);

-- Rows of a day lie together, so that taking out a day reads that day only.
CREATE OR REPLACE TABLE conversations_placed AS
SELECT coalesce(d.day, j.own_day) AS day,
       CASE WHEN j.reason IS NOT NULL THEN 'quarantined'
            WHEN r.rank > 1 AND r.hash = r.kept_hash THEN 'duplicate'
            WHEN r.rank > 1 OR d.started IS NULL THEN 'quarantined'
            WHEN j.deleted THEN 'soft_deleted'
            ELSE 'represented' END AS fate,
       CASE WHEN j.reason IS NOT NULL THEN j.reason
            WHEN r.rank > 1 THEN 'duplicate_id'
            WHEN d.started IS NULL THEN 'bad_time' END AS reason,
       CASE WHEN j.reason IS NOT NULL THEN j.detail
            WHEN r.rank > 1 AND r.same_age THEN 'same id and time as a row with other content, which came first'
            WHEN r.rank > 1 THEN 'an older version of a row that was kept'
            WHEN d.started IS NULL THEN 'it has neither a creation time nor messages' END AS detail,
       d.started, j.id, j.conversation_id, j.updated, j.edited, j.own_day, j.pk, j.hash, j.payload_at, j.payload_size
FROM conversations_judged j
LEFT JOIN conversations_ranked r USING (seq)
LEFT JOIN conversation_days d ON d.id = j.id
ORDER BY 1, d.started, j.id;

CREATE OR REPLACE TABLE messages_placed AS
WITH owned AS (
    SELECT j.*, r.rank, r.kept_hash, r.same_age, d.id AS owner, d.deleted AS owner_deleted, d.day AS owner_day,
           e.conversation_id IS NOT NULL AS is_elsewhere
    FROM messages_judged j
    LEFT JOIN messages_ranked r USING (seq)
    LEFT JOIN conversation_days d ON d.day IS NOT NULL AND d.id = CASE WHEN r.rank > 1 THEN r.kept_conversation_id ELSE j.conversation_id END
    LEFT JOIN elsewhere e ON e.conversation_id = j.conversation_id
)
SELECT coalesce(owner_day, own_day) AS day,
       CASE WHEN is_elsewhere AND owner IS NULL THEN 'elsewhere'
            WHEN reason IS NOT NULL THEN 'quarantined'
            WHEN rank > 1 AND hash = kept_hash THEN 'duplicate'
            WHEN rank > 1 OR owner IS NULL THEN 'quarantined'
            WHEN owner_deleted OR deleted THEN 'soft_deleted'
            ELSE 'represented' END AS fate,
       CASE WHEN reason IS NOT NULL THEN reason
            WHEN rank > 1 THEN 'duplicate_id'
            WHEN owner IS NULL THEN 'orphan_message' END AS reason,
       CASE WHEN reason IS NOT NULL THEN detail
            WHEN rank > 1 AND same_age THEN 'same id and time as a row with other content, which came first'
            WHEN rank > 1 THEN 'an older version of a row that was kept'
            WHEN owner IS NULL AND conversation_id IS NULL THEN 'it names no conversation'
            WHEN owner IS NULL THEN 'no usable conversation ' || conversation_id END AS detail,
       id, conversation_id, created, place, updated, edited, own_day, pk, hash, payload_at, payload_size
FROM owned
ORDER BY 1, conversation_id, created, place, id;
