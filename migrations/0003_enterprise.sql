-- Enterprises, who acts for them, what they drive and who drives it.

create table enterprise (
    id uuid not null,
    uscc text not null,
    display_name text not null,
    division_code text not null,
    -- The unit that serves it with truck passes, and its path for the scope of officers.
    unit_id uuid not null,
    unit_path text not null,
    state text not null,
    legal_representative_sealed bytea not null,
    legal_representative_id_sealed bytea not null,
    -- Who registered it, and becomes its legal representative once it is verified.
    applicant_id uuid not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    version bigint not null,
    constraint enterprise_pkey primary key (id),
    constraint enterprise_uscc_once unique (uscc),
    constraint enterprise_state_known check (state in ('PENDING', 'VERIFIED', 'SUSPENDED')),
    constraint enterprise_unit_fkey foreign key (unit_id) references unit (id),
    constraint enterprise_applicant_fkey foreign key (applicant_id) references person (id)
);
create index enterprise_unit on enterprise (unit_path text_pattern_ops, id);

create table class_grant (
    id uuid not null,
    enterprise_id uuid not null,
    class text not null,
    source_document text not null,
    valid_from timestamptz not null,
    valid_until timestamptz not null,
    granted_by uuid not null,
    create_time timestamptz not null,
    end_time timestamptz,
    constraint class_grant_pkey primary key (id),
    constraint class_grant_span check (valid_until > valid_from),
    constraint class_grant_class_known check (class in (
        'ABOVE_DESIGNATED_SIZE', 'KEY_ENTERPRISE', 'LISTED', 'LEADING', 'LIVELIHOOD', 'HIGH_TECH',
        'MICRO_SMALL_MEDIUM', 'NEWLY_ESTABLISHED')),
    constraint class_grant_enterprise_fkey foreign key (enterprise_id) references enterprise (id),
    constraint class_grant_officer_fkey foreign key (granted_by) references officer (id)
);
create index class_grant_enterprise on class_grant (enterprise_id, id);

create table member (
    id uuid not null,
    enterprise_id uuid not null,
    person_id uuid not null,
    full_name_sealed bytea not null,
    role text not null,
    scope text[] not null,
    valid_until timestamptz,
    create_time timestamptz not null,
    end_time timestamptz,
    constraint member_pkey primary key (id),
    constraint member_role_known check (role in ('LEGAL_REPRESENTATIVE', 'ENTERPRISE_HANDLER')),
    constraint member_handler_ends check (role = 'LEGAL_REPRESENTATIVE' or valid_until is not null),
    constraint member_enterprise_fkey foreign key (enterprise_id) references enterprise (id),
    constraint member_person_fkey foreign key (person_id) references person (id)
);
create unique index member_once on member (enterprise_id, person_id) where end_time is null;
create unique index member_one_legal_representative on member (enterprise_id)
    where end_time is null and role = 'LEGAL_REPRESENTATIVE';
create index member_person on member (person_id) where end_time is null;

create table invitation (
    id uuid not null,
    enterprise_id uuid not null,
    phone_sealed bytea not null,
    phone_index bytea not null,
    full_name_sealed bytea not null,
    scope text[] not null,
    valid_until timestamptz not null,
    expire_time timestamptz not null,
    accept_time timestamptz,
    create_time timestamptz not null,
    constraint invitation_pkey primary key (id),
    constraint invitation_enterprise_fkey foreign key (enterprise_id) references enterprise (id)
);
create index invitation_phone on invitation (phone_index) where accept_time is null;

create table vehicle (
    id uuid not null,
    enterprise_id uuid not null,
    plate_number text not null,
    plate_type text not null,
    vehicle_type text not null,
    use_nature text not null,
    energy_type text not null,
    vin text not null,
    body_colour text not null,
    brand_model text not null,
    gross_mass_kg integer not null,
    kerb_mass_kg integer not null,
    rated_load_kg integer not null,
    outer_length_mm integer not null,
    outer_width_mm integer not null,
    outer_height_mm integer not null,
    emission_stage integer not null,
    inspection_valid_until date not null,
    insurance_valid_until date not null,
    scrapping_date date,
    relation text not null,
    contract_valid_until date,
    transport_permit_valid_until date,
    vehicle_states text not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    retire_time timestamptz,
    version bigint not null,
    constraint vehicle_pkey primary key (id),
    constraint vehicle_tenant unique (enterprise_id, id),
    constraint vehicle_relation_known check (relation in ('OWNED', 'LEASED', 'CONTRACTED')),
    constraint vehicle_mass_positive check (gross_mass_kg > 0),
    constraint vehicle_enterprise_fkey foreign key (enterprise_id) references enterprise (id)
);
-- A vehicle stands in one garage at a time. The pair of plate and type is its identity (facts.md, 2.2).
create unique index vehicle_once on vehicle (plate_number, plate_type) where retire_time is null;
create index vehicle_enterprise on vehicle (enterprise_id, id);

create table driver (
    id uuid not null,
    vehicle_id uuid not null,
    full_name_sealed bytea not null,
    phone_sealed bytea not null,
    phone_index bytea not null,
    person_id uuid,
    create_time timestamptz not null,
    claim_time timestamptz,
    end_time timestamptz,
    constraint driver_pkey primary key (id),
    constraint driver_claim_complete check ((person_id is null) = (claim_time is null)),
    constraint driver_vehicle_fkey foreign key (vehicle_id) references vehicle (id),
    constraint driver_person_fkey foreign key (person_id) references person (id)
);
create unique index driver_once on driver (vehicle_id, phone_index) where end_time is null;
create index driver_person on driver (person_id) where end_time is null;
