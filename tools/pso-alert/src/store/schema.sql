-- The state of pso-alert. PRAGMA user_version is 1; times are milliseconds since 1970 (UTC).

-- Incidents that are not over, and for a week those that are.
-- With row ids: rows of a table without them that are larger than 1 KB have a page of their own each.
CREATE TABLE incidents (
    key      TEXT PRIMARY KEY,
    open     INTEGER NOT NULL,            -- 0: it is over, and people know
    seen_at  INTEGER NOT NULL,
    data     TEXT NOT NULL                -- the incident as JSON
) STRICT;
CREATE INDEX incidents_open ON incidents (open) WHERE open = 1;
CREATE INDEX incidents_over ON incidents (seen_at) WHERE open = 0;

-- Notices that are to be delivered: one row a notice and channel, in the order in which they were made.
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    channel    TEXT NOT NULL,
    grouped    TEXT NOT NULL,             -- notices of one message have the same
    incident   TEXT NOT NULL,
    notice     TEXT NOT NULL,             -- the notice as JSON
    made_at    INTEGER NOT NULL,
    due_at     INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    episode    INTEGER NOT NULL,          -- which time the incident fires
    ends       INTEGER NOT NULL,          -- 1: it says that the incident is over
    message    TEXT,                      -- the message that it is part of, once that is made up
    summed     INTEGER NOT NULL DEFAULT 0 -- 1: it is in that message's sum only
) STRICT;
CREATE INDEX outbox_channel ON outbox (channel, id);
CREATE INDEX outbox_group ON outbox (channel, grouped, due_at) WHERE message IS NULL;
CREATE INDEX outbox_incident ON outbox (incident, channel);
CREATE INDEX outbox_message ON outbox (message) WHERE message IS NOT NULL;

-- Messages that were made up and have not arrived. Each attempt sends the same, under the same key.
CREATE TABLE messages (
    key      TEXT PRIMARY KEY,
    channel  TEXT NOT NULL,
    made_at  INTEGER NOT NULL,
    attempts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How it stands with each channel.
CREATE TABLE channels (
    name          TEXT PRIMARY KEY,
    not_before    INTEGER NOT NULL DEFAULT 0,  -- rate limit or back-off
    leased_until  INTEGER NOT NULL DEFAULT 0,  -- a run makes an attempt
    leased_by     TEXT NOT NULL DEFAULT '',
    failures      INTEGER NOT NULL DEFAULT 0,  -- in a row
    failing_since INTEGER,
    sent_at       INTEGER,
    reason        TEXT NOT NULL DEFAULT '',    -- of the last failure
    fingerprint   TEXT NOT NULL DEFAULT ''     -- of the configuration that cannot be used; empty when that is not so
) STRICT, WITHOUT ROWID;

CREATE TABLE silences (
    id        TEXT PRIMARY KEY,
    starts_at INTEGER NOT NULL,
    ends_at   INTEGER NOT NULL,
    data      TEXT NOT NULL               -- the silence as JSON
) STRICT, WITHOUT ROWID;

-- What was heard, and when: tools whose runs come to their end; without host and tool the pipe (`--source`) itself.
CREATE TABLE heard (
    source   TEXT NOT NULL,
    host     TEXT NOT NULL,
    tool     TEXT NOT NULL,
    ended_at INTEGER NOT NULL,
    PRIMARY KEY (source, host, tool)
) STRICT, WITHOUT ROWID;

-- The latest moment at which anything was written, to notice a clock that goes back.
CREATE TABLE clock (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    at   INTEGER NOT NULL
) STRICT;
