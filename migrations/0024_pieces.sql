-- Files come in pieces of one size, which lie in one file; what is under way and what is kept is bounded for
-- each enterprise and each person; papers that were never used go after 30 days (facts.md, 6.5).

alter table attachment
    -- How long each piece is but the last; absent before the first one, and where each piece lies by itself
    -- because an older version took it.
    add column piece_bytes integer,
    -- Who announced it; empty where an older version did not keep that.
    add column creator text not null default '',
    -- Whether something refers to it that is not a draft: it was looked at when its time was over.
    add column used boolean not null default false,
    add constraint attachment_piece_positive check (piece_bytes > 0);
create index attachment_space on attachment (enterprise_id) include (size_bytes);
create index attachment_creator on attachment (creator) include (size_bytes) where creator <> '';
create index attachment_unsettled on attachment (id) where not used;

-- What refers to a file is found from the file.
create index pass_application_attachment_file on pass_application_attachment (attachment_id);
create index message_attachment on message (attachment_id) where attachment_id is not null;

-- The same for evidence; it goes with `received_bytes`, because a piece may be all of a picture.
alter table conduct.evidence
    add column piece_bytes integer,
    add constraint evidence_piece_positive check (piece_bytes > 0);
