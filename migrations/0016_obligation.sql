-- Three limits side by side (SD-03): what the law allows, what is promised, what the office sets itself.
-- `limit_text` and `due_time` are the promise, by which others judge; both others are absent where
-- there is none. An internal due time is the amber one.
alter table obligation add column legal_limit_text text not null default '';
alter table obligation add column legal_due_time timestamptz;
alter table obligation add column internal_limit_text text not null default '';
alter table obligation add column internal_due_time timestamptz;
-- When the limit of the law was seen to pass: it may do so between any two steps of the ladder.
alter table obligation add column legal_breach_time timestamptz;
-- When a recomputation that failed is tried again: one poisoned row stops no other.
alter table obligation add column recount_time timestamptz;

-- What was counted by another version of the calendar than the one in force: both sides of it are one
-- walk along this index, so that a recomputation needs no mark of how far it came.
create index obligation_counted on obligation (calendar_version)
    where meet_time is null and void_time is null and limit_text <> '';
create index obligation_provisional on obligation (id)
    where meet_time is null and void_time is null and provisional;
-- Those whose last look failed: what an operator must see.
create index obligation_failing on obligation (id)
    where meet_time is null and void_time is null and failures > 0;

-- The limit of the law is a step of its own.
alter table escalation drop constraint escalation_level_known;
alter table escalation add constraint escalation_level_known check (level between 1 and 5);

-- The handling of a category: what the law allows, and what the unit sets itself; empty for none.
alter table complaint_policy add column handle_legal_limit text not null default '';
alter table complaint_policy add column handle_internal_limit text not null default '';
