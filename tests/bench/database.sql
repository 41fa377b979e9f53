-- A planning database whose tasks are most of it. Indexes and foreign keys come after the rows, as in a dump.

CREATE TYPE task_status AS ENUM ('pending', 'in_progress', 'blocked', 'completed', 'cancelled');

CREATE TABLE plans (
    id uuid NOT NULL,
    title text NOT NULL,
    status text NOT NULL DEFAULT 'draft',
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL
);

CREATE TABLE tasks (
    id bigint NOT NULL,
    key uuid NOT NULL,
    plan_id uuid NOT NULL,
    status task_status NOT NULL,
    created_at timestamptz NOT NULL,
    description text NOT NULL
);

CREATE TABLE sync_events (
    id bigint NOT NULL,
    plan_id uuid NOT NULL,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    details jsonb NOT NULL
);

CREATE TABLE task_links (
    task_id bigint NOT NULL,
    other_id bigint NOT NULL,
    kind text NOT NULL
);
