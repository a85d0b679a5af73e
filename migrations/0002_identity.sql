-- Who may enter: the unit tree, officers, persons, devices, their sessions, and the keys that sign.
-- Names and phones are sealed; look-ups use a keyed blind index (facts.md, 6.3).

create table unit (
    id uuid not null,
    code text not null,
    display_name text not null,
    parent_id uuid,
    -- The codes from the root to here, each followed by '/': a subtree is a prefix.
    path text not null,
    -- The subtree that its officers may see: its own path, or for a city-wide unit the root's.
    reach text not null,
    -- The divisions whose enterprises it serves with truck passes.
    serves text[] not null,
    create_time timestamptz not null,
    constraint unit_pkey primary key (id),
    constraint unit_code_once unique (code),
    constraint unit_path_once unique (path),
    constraint unit_parent_fkey foreign key (parent_id) references unit (id)
);

create table officer (
    id uuid not null,
    police_number text not null,
    full_name_sealed bytea not null,
    unit_id uuid not null,
    roles text[] not null,
    password_hash text not null,
    -- The hashes before it, newest first: none of the last five may come back.
    password_history text[] not null,
    password_time timestamptz not null,
    password_expired boolean not null,
    totp_secret_sealed bytea not null,
    -- The last time step that was used: a code works once.
    totp_step bigint not null,
    failed_attempts integer not null,
    locked_until timestamptz,
    disable_time timestamptz,
    create_time timestamptz not null,
    version bigint not null,
    constraint officer_pkey primary key (id),
    constraint officer_police_number_once unique (police_number),
    constraint officer_unit_fkey foreign key (unit_id) references unit (id)
);
create index officer_unit on officer (unit_id);

create table person (
    id uuid not null,
    openid_index bytea not null,
    phone_sealed bytea,
    phone_index bytea,
    full_name_sealed bytea,
    create_time timestamptz not null,
    constraint person_pkey primary key (id),
    constraint person_openid_once unique (openid_index)
);
create index person_phone on person (phone_index);

create table checkpoint (
    id uuid not null,
    display_name text not null,
    unit_id uuid not null,
    zone_ids uuid[] not null,
    latitude double precision not null,
    longitude double precision not null,
    create_time timestamptz not null,
    constraint checkpoint_pkey primary key (id),
    constraint checkpoint_unit_fkey foreign key (unit_id) references unit (id)
);

create table device (
    id uuid not null,
    checkpoint_id uuid not null,
    public_key bytea not null,
    model text not null,
    software_version text not null,
    create_time timestamptz not null,
    revoke_time timestamptz,
    constraint device_pkey primary key (id),
    constraint device_key_once unique (public_key),
    constraint device_checkpoint_fkey foreign key (checkpoint_id) references checkpoint (id)
);
create index device_checkpoint on device (checkpoint_id);

create table device_enrolment (
    code_index bytea not null,
    checkpoint_id uuid not null,
    expire_time timestamptz not null,
    device_id uuid,
    constraint device_enrolment_pkey primary key (code_index),
    constraint device_enrolment_checkpoint_fkey foreign key (checkpoint_id) references checkpoint (id),
    constraint device_enrolment_device_fkey foreign key (device_id) references device (id)
);

create table device_challenge (
    challenge bytea not null,
    device_id uuid not null,
    expire_time timestamptz not null,
    constraint device_challenge_pkey primary key (challenge),
    constraint device_challenge_device_fkey foreign key (device_id) references device (id)
);

-- A sign-in. Refresh tokens are a keyed function of id and generation, so none is stored.
create table session (
    id uuid not null,
    person_id uuid,
    officer_id uuid,
    device_id uuid,
    generation integer not null,
    create_time timestamptz not null,
    refresh_time timestamptz not null,
    expire_time timestamptz not null,
    end_time timestamptz,
    end_reason text,
    client text not null,
    address text not null,
    constraint session_pkey primary key (id),
    constraint session_one_owner check (num_nonnulls(person_id, officer_id, device_id) = 1),
    constraint session_person_fkey foreign key (person_id) references person (id),
    constraint session_officer_fkey foreign key (officer_id) references officer (id),
    constraint session_device_fkey foreign key (device_id) references device (id)
);
create index session_person on session (person_id, id) where person_id is not null;
create index session_officer on session (officer_id, id) where officer_id is not null;
create index session_device on session (device_id, id) where device_id is not null;

create table phone_code (
    id uuid not null,
    person_id uuid not null,
    phone_index bytea not null,
    phone_sealed bytea not null,
    code_index bytea not null,
    code_sealed bytea not null,
    attempts integer not null,
    expire_time timestamptz not null,
    use_time timestamptz,
    constraint phone_code_pkey primary key (id),
    constraint phone_code_person_fkey foreign key (person_id) references person (id)
);
create index phone_code_person on phone_code (person_id, id);

create table signing_key (
    id uuid not null,
    purpose text not null,
    suite text not null,
    kid bytea not null,
    public_key bytea not null,
    private_key_sealed bytea not null,
    not_before timestamptz not null,
    sign_until timestamptz not null,
    verify_until timestamptz not null,
    revoke_time timestamptz,
    create_time timestamptz not null,
    constraint signing_key_pkey primary key (id),
    constraint signing_key_kid_once unique (kid),
    constraint signing_key_kid_size check (octet_length(kid) = 4),
    constraint signing_key_purpose_known check (purpose in ('ACCESS_TOKEN', 'PASS_CODE', 'KEY_LIST')),
    constraint signing_key_suite_known check (suite in ('INTL', 'SM')),
    constraint signing_key_verifies_longer check (verify_until >= sign_until)
);
