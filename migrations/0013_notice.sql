-- What people are told: an inbox row in the transaction of its cause, then one delivery for each
-- recipient through the outbox. Rows hold numbers and states, never the content of a matter: texts are
-- made from them by the templates of `domain/notice`. And what other systems are told: webhooks.

-- The openid itself, sealed: a message can be sent only to it.
alter table person add column openid_sealed bytea;

create table notice (
    id uuid not null,
    -- Who finds it in the inbox: an enterprise's people for an item, one person, one officer, or the
    -- officers of a unit who have a role.
    audience text not null,
    event text not null,
    -- What led to it, with its version: an event that comes twice tells once (NO-04).
    cause text not null,
    -- A resource name.
    subject text not null,
    facts jsonb not null,
    create_time timestamptz not null,
    constraint notice_pkey primary key (id),
    constraint notice_once unique (cause, audience, event)
);
create index notice_audience on notice (audience, id);

create table notice_read (
    reader text not null,
    notice_id uuid not null,
    read_time timestamptz not null,
    constraint notice_read_pkey primary key (reader, notice_id),
    constraint notice_read_notice_fkey foreign key (notice_id) references notice (id)
);

-- Everything up to this notice was read.
create table notice_read_until (
    reader text not null,
    notice_id uuid not null,
    constraint notice_read_until_pkey primary key (reader)
);

-- A push for one recipient. Its id is the one of its event in the outbox.
create table notice_delivery (
    id uuid not null,
    notice_id uuid not null,
    recipient text not null,
    state text not null,
    channel text,
    -- Until when a quiet hour or a digest holds it back.
    release_time timestamptz,
    digest_id uuid,
    create_time timestamptz not null,
    send_time timestamptz,
    constraint notice_delivery_pkey primary key (id),
    constraint notice_delivery_once unique (notice_id, recipient),
    constraint notice_delivery_state_known check
        (state in ('PENDING', 'HELD', 'RELEASED', 'COLLECTED', 'SENT', 'UNREACHABLE')),
    constraint notice_delivery_channel_known check (channel in ('WECHAT', 'SMS', 'WECOM')),
    constraint notice_delivery_held check ((state = 'HELD') = (release_time is not null)),
    constraint notice_delivery_notice_fkey foreign key (notice_id) references notice (id)
);
create index notice_delivery_due on notice_delivery (release_time, recipient) where state = 'HELD';

-- The one push of a day that tells of everything held back.
create table notice_digest (
    id uuid not null,
    recipient text not null,
    day date not null,
    notices integer not null,
    create_time timestamptz not null,
    send_time timestamptz,
    constraint notice_digest_pkey primary key (id),
    constraint notice_digest_once_a_day unique (recipient, day)
);

-- How somebody wants to be told; without a row the defaults of `domain/notice` hold.
create table notice_preference (
    owner text not null,
    language text not null,
    channels text[] not null,
    quiet_from_minute integer not null,
    quiet_until_minute integer not null,
    digest_minute integer,
    update_time timestamptz not null,
    version bigint not null,
    constraint notice_preference_pkey primary key (owner),
    constraint notice_preference_language_known check (language in ('zh-CN', 'en')),
    constraint notice_preference_quiet check
        (quiet_from_minute between 0 and 1439 and quiet_until_minute between 0 and 1439),
    constraint notice_preference_digest check (digest_minute between 0 and 1439)
);

-- What a person permitted WeChat to deliver: so many messages of a template, or any number.
create table notice_consent (
    person_id uuid not null,
    template text not null,
    remaining integer not null,
    long_term boolean not null,
    update_time timestamptz not null,
    constraint notice_consent_pkey primary key (person_id, template),
    constraint notice_consent_counted check (remaining >= 0),
    constraint notice_consent_person_fkey foreign key (person_id) references person (id)
);

-- How far a job has looked: what was crossed since is told next.
create table notice_progress (
    job text not null,
    until_time timestamptz not null,
    constraint notice_progress_pkey primary key (job)
);

-- Up to which message a reader was told that there is news (CH-08).
create table message_notice (
    conversation_id uuid not null,
    reader text not null,
    sequence bigint not null,
    constraint message_notice_pkey primary key (conversation_id, reader),
    constraint message_notice_conversation_fkey foreign key (conversation_id)
        references conversation (id)
);

create index truck_pass_ending on truck_pass (valid_until) where state = 'ACTIVE';
-- Deliveries that were given up for the day: what an operator looks at (NO-03).
create index event_dead on event (id) where deliver_time is null and attempts >= 12;

-- Another system that wants to be told (NO-08).
create table webhook (
    id uuid not null,
    display_name text not null,
    url text not null,
    secret_sealed bytea not null,
    -- Empty: every event that leaves the house.
    events text[] not null,
    create_time timestamptz not null,
    disable_time timestamptz,
    version bigint not null,
    constraint webhook_pkey primary key (id)
);

-- What it is told. Its id is the one of its event in the outbox, and the webhook-id that is signed.
create table webhook_delivery (
    id uuid not null,
    webhook_id uuid not null,
    event text not null,
    cause text not null,
    payload text not null,
    create_time timestamptz not null,
    deliver_time timestamptz,
    constraint webhook_delivery_pkey primary key (id),
    constraint webhook_delivery_once unique (webhook_id, cause, event),
    constraint webhook_delivery_webhook_fkey foreign key (webhook_id) references webhook (id)
);
create index webhook_delivery_webhook on webhook_delivery (webhook_id, id);

-- The log: each attempt with what was answered; 0 when nothing was.
create table webhook_attempt (
    id uuid not null,
    webhook_delivery_id uuid not null,
    status integer not null,
    failure text not null,
    create_time timestamptz not null,
    constraint webhook_attempt_pkey primary key (id),
    constraint webhook_attempt_delivery_fkey foreign key (webhook_delivery_id)
        references webhook_delivery (id)
);
create index webhook_attempt_delivery on webhook_attempt (webhook_delivery_id, id);
