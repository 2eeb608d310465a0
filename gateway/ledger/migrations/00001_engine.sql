-- +goose Up
-- The engine's tables. One text for SQLite and PostgreSQL: times are BIGINT milliseconds since 1970 (0: none), ids are
-- UUIDv7 as text, bytes that hold personal data are sealed before they come here.

-- One row a journey's run. data_key is the wrapped data key of everything sealed for this run; NULL: erased.
CREATE TABLE runs (
    id          TEXT    NOT NULL PRIMARY KEY,
    plan        TEXT    NOT NULL,
    tenant      TEXT    NOT NULL,
    venue       TEXT    NOT NULL,
    principal   TEXT    NOT NULL,
    lang        TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    pivot       BOOLEAN NOT NULL,
    data_key    BYTEA,
    idem_scope  BYTEA,
    started_at  BIGINT  NOT NULL,
    ended_at    BIGINT  NOT NULL,
    lease_until BIGINT  NOT NULL,
    status      BIGINT  NOT NULL,
    body        BYTEA
);
CREATE INDEX runs_running ON runs (lease_until) WHERE state = 'running';

-- One row an effect, from its intention to its settlement.
CREATE TABLE operations (
    op_key     TEXT    NOT NULL PRIMARY KEY,
    run        TEXT    NOT NULL,
    plan       TEXT    NOT NULL,
    step       TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    venue      TEXT    NOT NULL,
    ord        BIGINT  NOT NULL,
    kind       TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    pivot      BOOLEAN NOT NULL,
    args       BYTEA,
    result     BYTEA,
    undo       TEXT    NOT NULL,
    meaning    TEXT    NOT NULL,
    due_at     BIGINT  NOT NULL,
    begun_at   BIGINT  NOT NULL,
    settled_at BIGINT  NOT NULL,
    reason     TEXT    NOT NULL
);
CREATE INDEX operations_run ON operations (run, ord);

-- One row an Idempotency-Key in use; scope and payload are keyed hashes.
CREATE TABLE idempotency (
    scope       BYTEA   NOT NULL PRIMARY KEY,
    payload     BYTEA   NOT NULL,
    run         TEXT    NOT NULL,
    lease_until BIGINT  NOT NULL,
    expires_at  BIGINT  NOT NULL,
    ended       BOOLEAN NOT NULL,
    status      BIGINT  NOT NULL,
    body        BYTEA,
    data_key    BYTEA
);
CREATE INDEX idempotency_expiring ON idempotency (expires_at) WHERE ended;

-- The outbox. next_at of a message in flight is the end of its lease: then it is due again.
CREATE TABLE messages (
    msg_key    TEXT   NOT NULL PRIMARY KEY,
    kind       TEXT   NOT NULL,
    run        TEXT   NOT NULL,
    venue      TEXT   NOT NULL,
    payload    BYTEA,
    state      TEXT   NOT NULL,
    queued_at  BIGINT NOT NULL,
    due_at     BIGINT NOT NULL,
    next_at    BIGINT NOT NULL,
    attempts   BIGINT NOT NULL,
    last_error TEXT   NOT NULL
);
CREATE INDEX messages_waiting ON messages (venue, next_at, due_at) WHERE state = 'waiting';
CREATE INDEX messages_done ON messages (next_at) WHERE state = 'done';
CREATE INDEX messages_dead ON messages (next_at) WHERE state = 'dead';

-- What a person has to settle. seq rises with every change of a row.
CREATE TABLE assists (
    id          TEXT   NOT NULL PRIMARY KEY,
    seq         BIGINT NOT NULL,
    run         TEXT   NOT NULL,
    plan        TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    tenant      TEXT   NOT NULL,
    venue       TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    done        TEXT   NOT NULL,
    not_done    TEXT   NOT NULL,
    tried       TEXT   NOT NULL,
    next_zh     TEXT   NOT NULL,
    next_en     TEXT   NOT NULL,
    facts       BYTEA,
    opened_at   BIGINT NOT NULL,
    claimed_at  BIGINT NOT NULL,
    resolved_at BIGINT NOT NULL,
    claimed_by  TEXT   NOT NULL,
    resolved_by TEXT   NOT NULL,
    resolution  TEXT   NOT NULL,
    reason      BYTEA,
    UNIQUE (run, kind)
);
CREATE UNIQUE INDEX assists_seq ON assists (tenant, seq);
CREATE INDEX assists_unresolved ON assists (tenant, seq) WHERE state <> 'resolved';

-- Numbers that have to come in the order of commits.
CREATE TABLE counters (
    name  TEXT   NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('assists', 0);

-- The audit trail: a link seals the entries of one group commit and the link before it.
CREATE TABLE audit_links (
    chain   BIGINT NOT NULL,
    link    BIGINT NOT NULL,
    onto    BIGINT NOT NULL,
    prev    BYTEA  NOT NULL,
    hash    BYTEA  NOT NULL,
    entries BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (chain, link)
) /* in the order of its key */;
CREATE TABLE audit_entries (
    chain   BIGINT NOT NULL,
    link    BIGINT NOT NULL,
    ord     BIGINT NOT NULL,
    run     TEXT   NOT NULL,
    actor   TEXT   NOT NULL,
    action  TEXT   NOT NULL,
    system  TEXT   NOT NULL,
    purpose TEXT   NOT NULL,
    fields  TEXT   NOT NULL,
    subject BYTEA,
    payload BYTEA,
    PRIMARY KEY (chain, link, ord)
) /* in the order of its key */;
