-- What every noun stands on: the history of steps, the outbox, stored answers, read-aloud numbers,
-- and the versions by which caches are judged. Rows here are written in the same transaction as the
-- effect that they record.

create extension if not exists btree_gist;

-- One row per step of a lifecycle, and per act that officers must be able to explain later.
create table change (
    id uuid not null,
    -- The order within one call, whose steps share an instant.
    position bigint not null generated always as identity,
    collection text not null,
    subject_id uuid not null,
    from_state text not null,
    to_state text not null,
    action text not null,
    actor text not null,
    public_note text not null,
    internal_note text not null,
    reason text,
    method text not null,
    call_id uuid not null,
    create_time timestamptz not null,
    constraint change_pkey primary key (id)
);
create index change_subject on change (subject_id, position);

create function refuse_rewrite() returns trigger language plpgsql as $$
begin
    raise exception 'rows of % are never rewritten', tg_table_name using errcode = 'restrict_violation';
end
$$;
create trigger change_is_kept before update or delete on change
    for each row execute function refuse_rewrite();

-- Events that somebody else must learn of: delivered at least once, by the worker.
create table event (
    id uuid not null,
    topic text not null,
    subject text not null,
    payload jsonb not null,
    create_time timestamptz not null,
    attempts integer not null,
    next_attempt_time timestamptz not null,
    deliver_time timestamptz,
    failure text,
    constraint event_pkey primary key (id),
    constraint event_attempts_counted check (attempts >= 0)
);
create index event_open on event (next_attempt_time, id) where deliver_time is null;

-- The first answer to a request id, sealed; a repetition gets it again.
create table idempotency (
    actor text not null,
    request_id uuid not null,
    method text not null,
    digest bytea not null,
    response bytea,
    create_time timestamptz not null,
    constraint idempotency_pkey primary key (actor, request_id)
);
create index idempotency_age on idempotency (create_time);

-- The next sequence of a read-aloud number, per prefix and day.
create table number_sequence (
    prefix text not null,
    day date not null,
    next integer not null,
    constraint number_sequence_pkey primary key (prefix, day)
);

-- How often the facts behind a cache key have changed. A cache entry of an older version is void.
create table standing (
    key text not null,
    version bigint not null,
    constraint standing_pkey primary key (key)
);

-- Rises when a writer could not void a cache entry: every server then forgets the whole cache.
create table cache_epoch (
    single boolean not null default true,
    epoch bigint not null,
    constraint cache_epoch_pkey primary key (single),
    constraint cache_epoch_one_row check (single)
);
insert into cache_epoch (epoch) values (1);
