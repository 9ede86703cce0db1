-- Alerts, their occurrences and the watch log.
-- PostgreSQL: what is sorted is collated "C", so that both stores list in the same order.
-- Dates are ISO text, digests lower-case hex, documents JSON text (kept as written: digests are taken over them).

-- The watch log's own state. One row, written when the store is first opened.
create table log_state (
    id            bigint  primary key check (id = 1),
    epoch         text    not null,  -- changes when the store is restored from a backup
    token_key     bytea    not null,  -- authenticates page and resume tokens
    last_revision bigint  not null,  -- of the newest committed event
    min_revision  bigint  not null   -- oldest event still kept
);

create table rule_texts (
    rule_hash text primary key,
    rule_text text not null
);

create table rule_params (
    params_digest text primary key,
    params        text not null
);

create table runs (
    run_id         text    primary key,
    seq            bigint  not null unique,  -- order of recording
    snapshot       bigint  not null,
    as_of          text    not null,
    bundle_hash    text    not null,
    table_versions text    not null,
    recorded_at    text    not null
);

create table rule_runs (
    run_id        text    not null references runs (run_id),
    rule_id       text    not null,
    position      bigint  not null,
    rule_version  bigint  not null,
    rule_hash     text    not null references rule_texts (rule_hash),
    params_digest text    not null references rule_params (params_digest),
    state         text    not null,
    reason_code   text,
    reason_zh     text,
    reason_en     text,
    hits          bigint  not null,
    opened        bigint  not null,
    updated       bigint  not null,
    changed       bigint  not null,
    reopened      bigint  not null,
    suppressed    bigint  not null,
    capped        bigint  not null,
    cleared       bigint  not null,
    stale         bigint  not null,
    withdrawn     bigint  not null,
    elapsed_ms    bigint  not null,
    primary key (run_id, rule_id),
    check (hits = opened + updated + reopened + suppressed + capped)
);
create index rule_runs_by_rule on rule_runs (rule_id);

-- What a hit said: written once, never changed, never deleted. `facts` is what lists and filters need,
-- `detail` the path and the full evidence rows.
create table contents (
    digest text primary key,
    facts  text not null,
    detail text not null
);

create table alerts (
    alert_no          bigint  primary key,
    alert_id          text    collate "C" not null unique,
    fingerprint       text    not null,
    episode           bigint  not null,
    rule_id           text    collate "C" not null,
    severity          bigint  not null,  -- 0 low, 1 medium, 2 high
    state             text    not null,
    first_seen        text    not null,
    last_seen         text    not null,
    as_of             text    not null,
    snapshot          bigint  not null,  -- of the run that last judged it
    content           text    not null references contents (digest),
    evidence_digest   text    not null,
    revision          bigint  not null,  -- of its newest event
    kind              text    not null,  -- of its newest event
    seen_run          text    not null references runs (run_id),  -- last run that saw this content
    previous_alert_id text,              -- the closed episode before this one
    closed_on         text,              -- date in China, while closed
    unique (fingerprint, episode)
);
create index alerts_in_list_order on alerts (severity desc, rule_id, alert_id);
create index alerts_by_rule on alerts (rule_id);
create index alerts_by_revision on alerts (revision);

create table occurrences (
    alert_no        bigint  not null references alerts (alert_no),
    run_id          text    not null references runs (run_id),
    seq             bigint  not null,
    as_of           text    not null,
    rule_version    bigint  not null,
    evidence_digest text    not null,
    content         text    not null references contents (digest),
    primary key (alert_no, run_id)
);

create table events (
    revision     bigint  primary key,
    commit_last  bigint  not null,  -- revision of the last event of the same commit
    kind         text    not null,
    alert_no     bigint  not null references alerts (alert_no),
    state        text    not null,
    first_seen   text    not null,
    last_seen    text    not null,
    as_of        text    not null,
    content      text    not null references contents (digest),
    run_id       text    references runs (run_id),
    committed_at text    not null
);

create table closures (
    revision  bigint  primary key,  -- of the CLOSED event
    alert_no  bigint  not null references alerts (alert_no),
    actor     text    not null,
    reason    text    not null,
    closed_at text    not null
);
create index closures_by_alert on closures (alert_no);
