-- A revocation that was answered counts: an answer is not told again before its effect is settled, and
-- trust in Redis is bound to who Redis is and who PostgreSQL is.

-- What the unit of work behind a stored answer touched, until no server can judge on the older facts.
alter table idempotency add column unsettled_keys text[], add column unsettled_versions bigint[];
alter table idempotency add constraint idempotency_unsettled_pairs
    check (coalesce(cardinality(unsettled_keys), 0) = coalesce(cardinality(unsettled_versions), 0));

-- 128 random bits: no backup, no standby and no other deployment comes to the same.
create function new_epoch() returns bytea
    language sql volatile
    as $$ select substring(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) for 16) $$;

-- Which PostgreSQL this is, of which history; null on a standby, which may not know the last commits. A
-- dump that is restored is another database, a restore to a point in time and a standby that takes over
-- are another timeline, and a disk that was put back has started anew.
create function postgresql_identity() returns text
    language sql volatile
    as $$
        select case when pg_is_in_recovery() then null else concat_ws('/',
            (select system_identifier from pg_control_system()),
            left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
            (select oid from pg_database where datname = current_database()),
            extract(epoch from pg_postmaster_start_time())) end
    $$;

alter table cache_epoch
    -- Part of every key in Redis. Another one makes every server forget the whole cache, in a lease.
    add column token bytea not null default new_epoch(),
    -- Raised, and nobody has waited since until every older lease had run out.
    add column fresh boolean not null default false,
    -- The PostgreSQL and the Redis between which the epoch was agreed. A server trusts the cache only
    -- where both are its own. No Redis: nobody trusts any.
    add column postgresql text,
    add column redis text,
    add column bind_time timestamptz;
alter table cache_epoch add constraint cache_epoch_token_size check (octet_length(token) = 16);
-- A server of before this file has keys of its own in Redis, which the later ones do not void. It finds no
-- number here, and stops to answer.
alter table cache_epoch alter column epoch drop not null;
update cache_epoch set epoch = null;
