-- The State Council's yearly notices of holidays and make-up days, as an administrator entered them.
-- A row never changes: a corrected notice is a newer version of its year, which counts from its import
-- on. The years 2022 to 2026 are version 1 of the program itself and have no row.
create table calendar_year (
    year integer not null,
    -- From 1; of several versions the highest counts.
    version integer not null,
    -- Ranges, both ends included: the first day of each, and its last.
    holidays_first date[] not null,
    holidays_last date[] not null,
    -- Saturdays and Sundays on which people work (调休上班).
    makeup_days date[] not null,
    -- The notice it was taken from.
    source text not null,
    officer_id uuid not null,
    create_time timestamptz not null,
    constraint calendar_year_pkey primary key (year, version),
    constraint calendar_year_versions check (version > 0),
    constraint calendar_year_ranges check (cardinality(holidays_first) = cardinality(holidays_last)),
    constraint calendar_year_officer_fkey foreign key (officer_id) references officer (id)
);
