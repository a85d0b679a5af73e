-- The WeCom contact way of a post (联系我): its state comes back with whoever adds the officers, and
-- is confirmed in the mini-program like a scanned code.

create table contact_way (
    id uuid not null,
    liaison_post_id uuid not null,
    config_id text not null,
    qr_code text not null,
    -- SHA-256: who reads the table cannot bind.
    state_digest bytea not null,
    create_time timestamptz not null,
    constraint contact_way_pkey primary key (id),
    constraint contact_way_state_once unique (state_digest),
    constraint contact_way_post_fkey foreign key (liaison_post_id) references liaison_post (id)
);
create index contact_way_post on contact_way (liaison_post_id);
